//! Statements that were recognised before: workloads ask the same few again and again.

use std::cell::RefCell;
use std::sync::Arc;

use super::super::report::Report;
use super::parse::parse;
use super::statement::Statement;

/// So many texts are remembered: more than a client has that gives its values as parameters.
const MOST: usize = 64;

/// A text, the types that were named for its parameters, and what it came to.
struct Known {
    sql: String,
    types: Vec<u32>,
    found: Arc<[Arc<Statement>]>,
}

thread_local! {
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// All statements of a text, in order; none where it is empty.
///
/// *Errors*: 0A000 where one is not known here, with its text.
pub(crate) fn recognise(sql: &str, types: &[u32]) -> Result<Arc<[Arc<Statement>]>, Report> {
    KNOWN.with_borrow_mut(|known| {
        // Hardly two of them are of the same length, which is compared first. Types are mostly none, and to compare the memory
        // of nothing costs more than it seems.
        let is_it =
            |known: &Known| known.sql == sql && known.types.len() == types.len() && known.types.iter().eq(types);
        if let Some(place) = known.iter().position(is_it) {
            // Those that are asked for again and again come to stand in front.
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
