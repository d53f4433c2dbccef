//! The shipped adapters' files and names; their behaviour is tested by conformance.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;
use crate::client::reference;

/// Every folder under `scenarios/adapters/` that holds a manifest.
fn on_disk() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/adapters");
    let folders = |folder: &Path| -> Vec<_> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    };
    let adapters = folders(&root).into_iter().flat_map(|language| folders(&language));
    let adapters = adapters.filter(|folder| folder.join(catalogue::MANIFEST).is_file());
    adapters.map(|folder| folder.strip_prefix(&root).unwrap().display().to_string()).collect()
}

#[test]
fn every_adapter_folder_is_shipped_with_all_files() {
    let shipped: BTreeSet<_> =
        adapters().iter().map(|adapter| format!("{}/{}", adapter.language, adapter.name)).collect();
    assert_eq!(shipped, on_disk());
    for adapter in adapters() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/adapters").join(adapter.language);
        let files = |folder: &Path| {
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
            let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
            files.map(|entry| entry.file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        let there: BTreeSet<_> = [files(&root), files(&root.join(adapter.name))].concat().into_iter().collect();
        let shipped: BTreeSet<_> = adapter.files.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(shipped, there, "{}", adapter.name);
        assert_eq!(shipped.len(), adapter.files.len(), "{} has two files of one name", adapter.name);
    }
}

#[test]
fn names_are_unique_and_manifests_complete() {
    let mut names: BTreeSet<_> = reference::names().into_iter().collect();
    for Shipped { name, manifest, .. } in adapters() {
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
        for text in [&manifest.about, &manifest.library, &manifest.install, &manifest.run, &manifest.tuned] {
            assert!(!text.is_empty() && !text.contains('\n'), "{name}: {text:?}");
        }
        assert!(manifest.about.chars().count() <= 100, "{name}: {}", manifest.about);
        assert!(manifest.source.starts_with("https://"), "{name}: {}", manifest.source);
        for command in manifest.build.iter().chain([&manifest.run]) {
            assert!(shlex::split(command).is_some_and(|words| !words.is_empty()), "{name}: {command}");
        }
    }
}

#[test]
fn name_may_carry_a_profile() {
    let name = |text: &str| parse_choice(text).map(|choice| choice.map(|choice| choice.name()));
    assert_eq!(name("psycopg").unwrap().as_deref(), Some("psycopg"));
    assert_eq!(name("psycopg:default").unwrap().as_deref(), Some("psycopg"));
    assert_eq!(name("psycopg:tuned").unwrap().as_deref(), Some("psycopg:tuned"));
    assert_eq!(name("python3 client.py").unwrap(), None);
    let error = name("psycopg:fast").unwrap_err().to_string();
    assert!(error.contains("\"fast\"") && error.contains("default and tuned"), "{error}");
}
