//! The adapters shipped with pgsquall: one per library, written as the library's documentation recommends.
//!
//! Owns their files (`catalogue`), descriptions (`manifest`) and builds (`build_cache`). Each has two profiles:
//! *default*, the library's own defaults, and *tuned*, with the settings that it offers for recovery. No dependency is
//! installed; if one is missing, the error names the command that installs it.

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
use crate::model::plane::Placements;

/// One shipped adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shipped {
    /// The adapter's name for `--client`.
    pub name: &'static str,
    pub language: &'static str,
    /// Names and contents of its files, including the manifest and the files shared by the language.
    pub files: Vec<(&'static str, &'static str)>,
    pub manifest: Manifest,
}

/// The settings with which a library is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// The library's own defaults.
    Default,
    /// The settings that it offers for recovery.
    Tuned,
}

impl Profile {
    /// Each profile and its name, which is also the last argument of an adapter's command line.
    pub const ALL: [(&str, Profile); 2] = [("default", Profile::Default), ("tuned", Profile::Tuned)];

    fn word(self) -> &'static str {
        match self {
            Profile::Default => "default",
            Profile::Tuned => "tuned",
        }
    }
}

impl Shipped {
    /// The adapter with this name.
    pub fn by_name(name: &str) -> Option<Shipped> {
        adapters().into_iter().find(|shipped| shipped.name == name)
    }
}

/// Parses `NAME` and `NAME:PROFILE`; `None` if there is no such adapter.
///
/// *Errors*: the adapter has no such profile.
pub(super) fn parse_choice(text: &str) -> Result<Option<ShippedChoice>, ClientError> {
    let (name, profile) = text.split_once(':').unwrap_or((text, Profile::Default.word()));
    let Some(shipped) = Shipped::by_name(name) else { return Ok(None) };
    let Some((_, profile)) = Profile::ALL.into_iter().find(|(word, _)| *word == profile) else {
        let words = Profile::ALL.map(|(word, _)| word).join(" and ");
        return Err(ClientError::NoProfile { name: name.to_owned(), profile: profile.to_owned(), words });
    };
    Ok(Some(ShippedChoice { shipped, profile, built: OnceCell::new() }))
}

/// One adapter with one profile.
pub(super) struct ShippedChoice {
    shipped: Shipped,
    profile: Profile,
    /// The folder of the built adapter; empty until it is built.
    built: OnceCell<PathBuf>,
}

impl ShippedChoice {
    /// The folder of the built adapter; builds it first if needed.
    async fn folder(&self) -> Result<&Path, ClientError> {
        Ok(self.built.get_or_try_init(|| build_cache::build_adapter(&self.shipped)).await?)
    }

    /// Adds the adapter's install command to an error: a missing dependency is the most frequent cause.
    fn with_install_hint(&self, error: ClientError) -> ClientError {
        let (name, install) = (self.shipped.name, self.shipped.manifest.install.clone());
        ClientError::Shipped { name, install, source: Box::new(error) }
    }
}

#[async_trait]
impl ClientFactory for ShippedChoice {
    fn name(&self) -> String {
        match self.profile {
            Profile::Default => self.shipped.name.to_owned(),
            Profile::Tuned => format!("{}:{}", self.shipped.name, self.profile.word()),
        }
    }

    fn placements(&self) -> Placements {
        Placements { in_process: false, process: true }
    }

    async fn prepare(&self) -> Result<(), ClientError> {
        self.folder().await.map(drop).map_err(|error| self.with_install_hint(error))
    }

    async fn launch(&self, address: &Address, context: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        let launched = async {
            let run = &self.shipped.manifest.run;
            Adapter::in_folder(self.folder().await?, run, self.profile.word())?.launch(address, context).await
        };
        launched.await.map_err(|error| self.with_install_hint(error))
    }
}
