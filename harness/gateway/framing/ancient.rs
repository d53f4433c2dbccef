//! Errors in the form used before protocol 3: `E`, a text, NUL. A server that cannot fork still sends them, because the
//! process that would read the client's protocol version does not exist; then it closes the connection.

use super::frame::{Frame, PREFIX};
use super::state::State;
use super::{Inspected, Note, Watch};

/// Collects the text, and notes it when NUL or [`PREFIX`] bytes have arrived; passes all bytes.
pub(super) fn collect(frame: &mut Frame, state: &mut State, bytes: &[u8], watch: &mut impl Watch) -> Inspected {
    state.ancient = true;
    let message = frame.gather(bytes, PREFIX);
    let end = message.iter().position(|byte| *byte == 0).or((message.len() == PREFIX).then_some(PREFIX));
    if let Some(end) = end {
        watch.note(Note::AncientError { text: &message[1..end] });
        state.opaque = true;
    }
    frame.seen += bytes.len() as u64;
    Inspected::passed(bytes.len())
}
