//! A built-in client as a process: the other side of the adapter protocol, on this process's stdin and stdout.
//!
//! Owns nothing of how the client behaves. A panic of the client is one of this process, as in any other adapter.

use std::io::{self, BufRead, Write};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, thread};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Reference, names};
use crate::client::adapter::protocol::{self, Asked};
use crate::client::{ClientError, DynClient, Notifications};
use crate::credentials::address::Address;

/// Serves the built-in client of that name, against the address in this process's environment, until stdin ends.
///
/// *Errors*: there is no such client; the environment holds no address; what comes from stdin is no request.
pub async fn serve(name: &str) -> Result<(), ClientError> {
    let Some(built_in) = Reference::named(name) else {
        let reason = "only a built-in client can be served".into();
        return Err(ClientError::Unknown { name: name.to_owned(), known: names(), reason });
    };
    let address = Address::from_variables(|name| env::var(name).ok()).map_err(ClientError::SetUp)?;
    let client: Arc<dyn DynClient> = Arc::new(built_in.start(&address));
    say(&protocol::greeting(&client.facts()))?;
    let mut requests = requests();
    let mut working = JoinSet::new();
    loop {
        tokio::select! {
            Some(done) = working.join_next() => match done {
                Ok(said) => said?,
                Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                Err(error) => return Err(ClientError::SetUp(error.to_string())),
            },
            line = requests.recv() => match line {
                None => break,
                Some(line) => {
                    let asked = protocol::asked(&line).map_err(ClientError::SetUp)?;
                    working.spawn(carry_out(Arc::clone(&client), asked));
                }
            },
        }
    }
    // Nobody waits for these any more, and some never end.
    working.shutdown().await;
    client.close().await;
    Ok(())
}

async fn carry_out(client: Arc<dyn DynClient>, asked: Asked) -> Result<(), ClientError> {
    match asked {
        Asked::Op(call) => say(&protocol::answered(call.id, client.perform(call).await)),
        Asked::Listen { id } => {
            let answered = Arc::new(AtomicBool::new(false));
            let first = Arc::clone(&answered);
            let ended = client.listen(Notifications::new(move |notice| {
                // What comes first shows that it listens.
                let answer = (!first.swap(true, Ordering::Relaxed)).then(|| protocol::answered(id, Ok(None)));
                // Where nobody reads any more, the next answer says so.
                let _ = say(&(answer.unwrap_or_default() + &protocol::noticed(notice)));
            }));
            match ended.await {
                Err(error) if !answered.load(Ordering::Relaxed) => say(&protocol::answered(id, Err(error))),
                // The protocol has no word for a subscription that was given up: whoever asks hears nothing any more.
                _ => Ok(()),
            }
        }
    }
}

/// The lines of stdin. They are read by a thread of its own: one of the runtime's would keep it from ending.
fn requests() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn say(line: &str) -> Result<(), ClientError> {
    let mut stdout = io::stdout().lock();
    let said = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
    said.map_err(|error| ClientError::SetUp(format!("nobody reads its stdout: {error}")))
}
