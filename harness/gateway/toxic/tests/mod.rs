//! Tests of whole pipelines.

mod chance;
mod pipeline;
mod properties;
