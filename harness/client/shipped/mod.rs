//! The adapters that come with pgsquall: one for each library, written as its own documentation says to use it.
//!
//! Owns their texts (`catalogue`), what each says of itself (`manifest`), and where they are built (`workshop`). Each has
//! two profiles: *default*, the library as it is by itself, and *tuned*, with the settings that it offers for recovery.
//! Nothing is installed for them: what one needs it says, and the user has it or not.

mod build_cache;
mod catalogue;
mod manifest;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

pub use self::catalogue::adapters;
pub use self::manifest::Manifest;
use super::{Adapter, ClientError, ClientFactory, DynClient, LaunchContext};
use crate::credentials::address::Address;
use crate::environment::support::Placements;

/// One adapter, as it is shipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// As `--client` takes it.
    pub name: &'static str,
    pub language: &'static str,
    /// Names and texts of its files, the manifest and what all adapters of the language share among them.
    pub files: Vec<(&'static str, &'static str)>,
    pub manifest: Manifest,
}

/// With which settings a library is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Those that it has by itself.
    Default,
    /// Those that it offers for recovery.
    Tuned,
}

impl Profile {
    /// Each profile by its word, which is also the last argument of an adapter.
    pub const ALL: [(&str, Profile); 2] = [("default", Profile::Default), ("tuned", Profile::Tuned)];

    fn word(self) -> &'static str {
        match self {
            Profile::Default => "default",
            Profile::Tuned => "tuned",
        }
    }
}

impl Shipped {
    /// The adapter of that name.
    pub fn named(name: &str) -> Option<Shipped> {
        adapters().into_iter().find(|shipped| shipped.name == name)
    }
}

/// Understands `NAME` and `NAME:PROFILE`; `None` for what names no shipped adapter.
///
/// *Errors*: the adapter has no such profile.
pub(super) fn chosen(text: &str) -> Result<Option<Chosen>, ClientError> {
    let (name, profile) = text.split_once(':').unwrap_or((text, Profile::Default.word()));
    let Some(shipped) = Shipped::named(name) else { return Ok(None) };
    let Some((_, profile)) = Profile::ALL.into_iter().find(|(word, _)| *word == profile) else {
        let words = Profile::ALL.map(|(word, _)| word).join(" and ");
        return Err(ClientError::NoProfile { name: name.to_owned(), profile: profile.to_owned(), words });
    };
    Ok(Some(Chosen { shipped, profile, built: OnceCell::new() }))
}

/// One adapter with one profile, as it is to be launched.
pub(super) struct Chosen {
    shipped: Shipped,
    profile: Profile,
    /// The folder in which it stands ready, once it does.
    built: OnceCell<PathBuf>,
}

impl Chosen {
    /// Where it stands ready; it is built first if it is not.
    async fn folder(&self) -> Result<&Path, ClientError> {
        Ok(self.built.get_or_try_init(|| build_cache::built(&self.shipped)).await?)
    }

    /// What went wrong, with what the adapter needs to be installed: most often it is that.
    fn explained(&self, error: ClientError) -> ClientError {
        let (name, install) = (self.shipped.name, self.shipped.manifest.install.clone());
        ClientError::Shipped { name, install, source: Box::new(error) }
    }
}

#[async_trait]
impl ClientFactory for Chosen {
    fn name(&self) -> String {
        match self.profile {
            Profile::Default => self.shipped.name.to_owned(),
            Profile::Tuned => format!("{}:{}", self.shipped.name, self.profile.word()),
        }
    }

    fn abodes(&self) -> Placements {
        Placements { in_process: false, process: true }
    }

    async fn prepare(&self) -> Result<(), ClientError> {
        self.folder().await.map(drop).map_err(|error| self.explained(error))
    }

    async fn launch(&self, address: &Address, home: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        let launched = async {
            let run = &self.shipped.manifest.run;
            Adapter::in_folder(self.folder().await?, run, self.profile.word())?.launch(address, home).await
        };
        launched.await.map_err(|error| self.explained(error))
    }
}
