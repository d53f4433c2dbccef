//! `pgsquall adapter`: serves a built-in client over the adapter protocol, so that it runs in its own process.

use pgsquall::client::reference;

use crate::exit::Exit;
use crate::print::complain;

pub async fn adapter(name: &str) -> Exit {
    match reference::serve(name).await {
        Ok(()) => Exit::Pass,
        Err(error) => {
            complain!("error: {error}");
            (&error).into()
        }
    }
}
