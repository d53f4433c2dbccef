//! A cache of recognised statements, because workloads repeat the same few texts.

use std::cell::RefCell;
use std::sync::Arc;

use super::super::report::Report;
use super::parse::parse;
use super::statement::Statement;

/// The most texts in the cache: more than a client sends if it passes values as parameters.
const MOST: usize = 64;

/// A text with its declared parameter types, and its statements.
struct Known {
    sql: String,
    types: Vec<u32>,
    found: Arc<[Arc<Statement>]>,
}

thread_local! {
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// Returns all statements of a text, in order, from the cache or by parsing.
///
/// *Errors*: as [`parse`].
pub(crate) fn recognise(sql: &str, types: &[u32]) -> Result<Arc<[Arc<Statement>]>, Report> {
    KNOWN.with_borrow_mut(|known| {
        // Texts mostly differ in length, which is compared first. The lengths of `types` are compared first because most are
        // empty, and comparing empty slices costs a call to memcmp.
        let is_it =
            |known: &Known| known.sql == sql && known.types.len() == types.len() && known.types.iter().eq(types);
        if let Some(place) = known.iter().position(is_it) {
            // Frequently used texts move to the front, where they are found sooner.
            known.swap(place, place / 2);
            return Ok(Arc::clone(&known[place / 2].found));
        }
        let found: Arc<[_]> = parse(sql, types)?.into_iter().map(Arc::new).collect();
        if known.len() >= MOST {
            known.clear();
        }
        known.push(Known { sql: sql.to_owned(), types: types.to_vec(), found: Arc::clone(&found) });
        Ok(found)
    })
}
