//! Pipelines as a whole.

mod chance;
mod pipeline;
mod properties;
