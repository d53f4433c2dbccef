//! Toxics: what a link does to the bytes it carries. One file per toxic; [`Toxics`] is the set in force on a gateway.

mod stall;

pub(super) use stall::{pass_stall, stall_begins};

/// The toxics in force. The default is none: bytes pass as they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Toxics {
    /// Nothing that arrives is passed on until this is taken away; then everything is.
    pub stall: bool,
}
