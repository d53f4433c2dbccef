//! Statements that were recognised before: workloads ask the same few again and again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::report::Report;
use super::parse::parse;
use super::statement::Statement;

/// So many texts are remembered: more than a client has that gives its values as parameters.
const MOST: usize = 64;

/// What one text came to, by the types that were named for its parameters.
type Found = Vec<(Vec<u32>, Arc<[Arc<Statement>]>)>;

thread_local! {
    static KNOWN: RefCell<BTreeMap<String, Found>> = const { RefCell::new(BTreeMap::new()) };
}

/// All statements of a text, in order; none where it is empty.
///
/// *Errors*: 0A000 where one is not known here, with its text.
pub(in super::super) fn recognise(sql: &str, types: &[u32]) -> Result<Arc<[Arc<Statement>]>, Report> {
    KNOWN.with_borrow_mut(|known| {
        if let Some((_, found)) = known.get(sql).and_then(|found| found.iter().find(|(named, _)| named == types)) {
            return Ok(Arc::clone(found));
        }
        let found: Arc<[_]> = parse(sql, types)?.into_iter().map(Arc::new).collect();
        if known.len() >= MOST {
            known.clear();
        }
        known.entry(sql.to_owned()).or_default().push((types.to_vec(), Arc::clone(&found)));
        Ok(found)
    })
}
