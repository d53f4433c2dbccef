//! Plain data that every other room uses. No I/O, no clock, no async, no randomness except [`seed`].

pub mod budget;
pub mod fault;
pub mod history;
pub mod middlebox;
pub mod pace;
pub mod plane;
pub mod seed;
pub mod sqlstate;
pub mod time;
pub mod topology;
mod words;

pub(crate) use words::{display_words, words};
