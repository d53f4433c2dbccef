//! Prepared statements and portals by name; the empty name is the unnamed one.

use std::collections::BTreeMap;

/// Objects by name. The unnamed one has a field of its own: nearly all are unnamed, and a map lookup is measurably
/// slower.
#[derive(Debug)]
pub(super) struct Names<T> {
    unnamed: Option<T>,
    named: BTreeMap<String, T>,
}

impl<T> Names<T> {
    pub fn new() -> Names<T> {
        Names { unnamed: None, named: BTreeMap::new() }
    }

    pub fn get(&self, name: &str) -> Option<&T> {
        match name {
            "" => self.unnamed.as_ref(),
            _ => self.named.get(name),
        }
    }

    /// Whether an object of this name exists; `false` for the unnamed one, which can be overwritten.
    pub fn is_taken(&self, name: &str) -> bool {
        !name.is_empty() && self.named.contains_key(name)
    }

    pub fn insert(&mut self, name: &str, thing: T) {
        match name {
            "" => self.unnamed = Some(thing),
            _ => drop(self.named.insert(name.to_owned(), thing)),
        }
    }

    pub fn remove(&mut self, name: &str) -> Option<T> {
        match name {
            "" => self.unnamed.take(),
            _ => self.named.remove(name),
        }
    }

    pub fn clear(&mut self) {
        self.unnamed = None;
        self.named.clear();
    }
}
