//! Servers misconfigured on purpose, one finding each; and connections that fail at each stage.

mod bench;
mod certificates;
mod console;
mod providers;
mod settings;
mod stages;
mod urls;
