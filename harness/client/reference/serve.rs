//! A built-in client as a process: speaks the adapter protocol on this process's stdin and stdout. The client's
//! behaviour is in `pool`. A panic of the client ends this process, as in any other adapter.

use std::io::{self, BufRead, Write};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, thread};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Reference, names};
use crate::client::adapter::protocol::{self, Request};
use crate::client::{ClientError, DynClient, Notifications};
use crate::credentials::address::Address;

/// Serves the built-in client with this name, against the address in the environment, until stdin ends.
///
/// *Errors*: there is no such client; the environment holds no address; a line of stdin is not a request; stdout cannot
/// be written.
pub async fn serve(name: &str) -> Result<(), ClientError> {
    let Some(built_in) = Reference::by_name(name) else {
        let reason = "`pgsquall adapter` serves built-in clients only".into();
        return Err(ClientError::Unknown { name: name.to_owned(), known: names(), reason });
    };
    let address = Address::from_variables(|name| env::var(name).ok()).map_err(ClientError::SetUp)?;
    let client: Arc<dyn DynClient> = Arc::new(built_in.start(&address));
    write_line(&protocol::format_hello(&client.facts()))?;
    let mut requests = requests();
    let mut working = JoinSet::new();
    loop {
        tokio::select! {
            Some(done) = working.join_next() => match done {
                Ok(written) => written?,
                Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
                Err(error) => return Err(ClientError::SetUp(error.to_string())),
            },
            line = requests.recv() => match line {
                None => break,
                Some(line) => {
                    let request = protocol::parse_request(&line).map_err(ClientError::SetUp)?;
                    working.spawn(handle_request(Arc::clone(&client), request));
                }
            },
        }
    }
    // No caller waits for these operations any more, and some never end.
    working.shutdown().await;
    client.close().await;
    Ok(())
}

async fn handle_request(client: Arc<dyn DynClient>, request: Request) -> Result<(), ClientError> {
    match request {
        Request::Op(call) => write_line(&protocol::format_answer(call.id, client.perform(call).await)),
        Request::Listen { id } => {
            let answered = Arc::new(AtomicBool::new(false));
            let first = Arc::clone(&answered);
            let ended = client.listen(Notifications::new(move |notice| {
                // The first notice confirms the subscription, so the answer precedes it.
                let answer = (!first.swap(true, Ordering::Relaxed)).then(|| protocol::format_answer(id, Ok(None)));
                // If stdout is closed, the next answer reports it.
                let _ = write_line(&(answer.unwrap_or_default() + &protocol::format_notice(notice)));
            }));
            match ended.await {
                Err(error) if !answered.load(Ordering::Relaxed) => write_line(&protocol::format_answer(id, Err(error))),
                // The protocol cannot report the end of a subscription: no notification follows.
                _ => Ok(()),
            }
        }
    }
}

/// The lines of stdin, read on a separate thread, because a blocked read on a thread of the runtime would delay the
/// runtime's shutdown.
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

fn write_line(line: &str) -> Result<(), ClientError> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| ClientError::SetUp(format!("cannot write to stdout: {error}")))
}
