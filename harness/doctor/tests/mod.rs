//! Servers configured badly on purpose, one finding each; and ways in that end at each stage.

mod bench;
mod certificates;
mod console;
mod passages;
mod settings;
mod stages;
mod urls;
