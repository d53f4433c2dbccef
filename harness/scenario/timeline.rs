//! Checks the times of faults: each fault by itself, and all of them together.
//!
//! The rules, beyond each fault's own keys:
//! * The client must work before the first fault, so a fault begins at [`EARLIEST`] or later. The exception is a
//!   persistent fault, or an arrangement of servers and addresses, at exactly zero: it is in force before the client
//!   starts, and there is no steady state. An arrangement always begins at zero.
//! * At zero there are no connections, so a fault that only cuts connections is not allowed there.
//! * A persistent scenario has a lasting fault, at zero or after a steady state: a password that is wrong from the
//!   start, or one that is changed later.
//! * Faults must not overlap if the heal of one would end the other: two in the server, two that block new
//!   connections at the gateway, two of the server's name, or two that differ only in their times.
//! * A pause of the workload comes as late as a fault, and begins before the last fault is over: a later one would only
//!   interrupt the recovery that is timed.
//! * Where recovery counts from the injection, the outage must be shorter than the budget, or no client could pass.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::error::{ScenarioError, Text};
use super::meaning::{at_least, period};
use super::table::{Table, first_key};
use super::{fault, layout};
use crate::model::budget::{Budget, RecoveryFrom};
use crate::model::fault::{Acts, Class, Fault, FaultKind};
use crate::model::middlebox::Program;
use crate::model::pace::Pause;
use crate::model::time::exact;
use crate::model::topology::Topology;

/// Earliest onset after a steady state: ten operations of a worker at the default interval.
const EARLIEST: Duration = Duration::from_millis(500);

/// A fault, and the position of its onset in the text.
struct Placed {
    fault: Fault,
    at: Range<usize>,
}

/// Reads the faults, and sorts them by onset.
pub(super) fn faults(
    text: Text<'_>,
    class: Class,
    budget: &Budget,
    middlebox: Option<Program>,
    layout: &Topology,
    tables: Vec<Table<'_>>,
) -> Result<Vec<Fault>, ScenarioError> {
    let mut placed = Vec::new();
    for table in tables {
        placed.push(one(text, class, middlebox, layout, table)?);
    }
    placed.sort_by_key(|placed| placed.fault.at);
    let (Some(first), Some(last)) = (placed.first(), placed.iter().max_by_key(|placed| end(placed))) else {
        let hint = "add [[fault]] with its kind, at and for; `pgsquall list` shows scenarios to copy from";
        return Err(text.error(first_key(text.text), "there is no fault", hint));
    };
    if class == Class::Persistent && placed.iter().all(|placed| placed.fault.kind.is_instant()) {
        let message = format!("{} is over at once, so nothing here is persistent", first.fault.kind);
        return Err(text.error(first.at.clone(), message, "use a fault that lasts, or class = \"transient\""));
    }
    let outage = end(last).saturating_sub(first.fault.at);
    if budget.from == RecoveryFrom::Inject && outage >= budget.time_to_recover {
        let (outage, allowed) = (exact(outage), exact(budget.time_to_recover));
        let message =
            format!("no client can pass: the faults last {outage}, recovery from injection may take {allowed}");
        return Err(text.error(last.at.clone(), message, "count from = \"heal\", or allow a longer time_to_recover"));
    }
    overlaps(text, &placed)?;
    Ok(placed.into_iter().map(|placed| placed.fault).collect())
}

fn end(placed: &Placed) -> Duration {
    placed.fault.at + placed.fault.lasts
}

/// Reads one fault. `middlebox`: whether the scenario has one; `layout`: its servers and addresses.
fn one(
    text: Text<'_>,
    class: Class,
    middlebox: Option<Program>,
    layout: &Topology,
    mut table: Table<'_>,
) -> Result<Placed, ScenarioError> {
    let missing =
        |key: &str, span: Range<usize>, hint: &str| Err(text.error(span, format!("the fault has no `{key}`"), hint));
    let span = table.span.clone();
    let (at_text, lasts) = (table.period("at")?, table.period("for")?);
    let (kind, word) = fault::kind(text, table)?;
    if kind.is_of_middlebox() && middlebox.is_none() {
        let hint = "add [path] with through = \"pgbouncer\" or \"haproxy\"";
        return Err(text.error(word.clone(), format!("{kind} needs something in the path to the server"), hint));
    }
    if kind == FaultKind::RotatePassword && middlebox == Some(Program::PgBouncer) {
        let message = format!("{kind} changes the server's password, and PgBouncer has its own list of passwords");
        return Err(text.error(word.clone(), message, "remove [path], or write through = \"haproxy\""));
    }
    let Some(at_text) = at_text else {
        return missing("at", span, "say how long after the steady state it comes, like at = \"2s\"");
    };
    let at = onset(text, class, kind, &at_text)?;
    let lasts = match (kind.is_instant(), lasts) {
        (true, None) => Duration::ZERO,
        (true, Some(lasts)) => {
            let message = format!("{kind} is over as soon as it is done, so it lasts for no time");
            let hint = match kind {
                FaultKind::Close | FaultKind::Reset => "remove `for`, or repeat it, like every = \"500ms\"",
                _ => "remove `for`",
            };
            return Err(text.error(lasts.span(), message, hint));
        }
        (false, Some(lasts)) => duration(text, kind, &lasts)?,
        (false, None) => {
            return missing("for", word.clone(), "say how long it lasts until it is healed, like for = \"5s\"");
        }
    };
    let fault = Fault { kind, at, lasts };
    layout::fits(text, layout, &fault, word)?;
    Ok(Placed { fault, at: at_text.span() })
}

/// Reads the duration of a fault.
fn duration(text: Text<'_>, kind: FaultKind, value: &Spanned<String>) -> Result<Duration, ScenarioError> {
    let lasts = at_least(text, "for", value, Duration::from_millis(1))?;
    match kind {
        FaultKind::CloseRepeatedly { every } | FaultKind::ResetRepeatedly { every } if every >= lasts => {
            let hint = format!("make it longer than \"{}\", or remove `every` and `for`", exact(every));
            Err(text.error(value.span(), format!("it lasts too short for a {} to be repeated", kind.word()), hint))
        }
        _ => Ok(lasts),
    }
}

/// Checks the onset of a fault.
fn onset(text: Text<'_>, class: Class, kind: FaultKind, value: &Spanned<String>) -> Result<Duration, ScenarioError> {
    let at = period(text, value)?;
    if kind.is_arrangement() && !at.is_zero() {
        let message = format!("{kind} is there before the client, or not at all");
        return Err(text.error(value.span(), message, "write at = \"0s\""));
    }
    let later = format!("at = \"{}\" or later", exact(EARLIEST));
    let (message, hint) = match (at.is_zero(), class) {
        (false, _) if at >= EARLIEST => return Ok(at),
        (true, _) if kind.is_arrangement() => return Ok(at),
        (true, Class::Persistent) if !kind.is_instant() => return Ok(at),
        (true, Class::Persistent) => {
            (format!("{kind} at 0s does nothing: the client has no connection yet"), format!("write {later}"))
        }
        (false, Class::Persistent) => (
            "too early: the client has neither started with the fault nor been seen to work before it".to_owned(),
            format!("write at = \"0s\" for a fault that is there from the start, or {later}"),
        ),
        (_, Class::Transient) => (
            "too early: the client must be seen to work before the fault".to_owned(),
            format!("write {later}; only a class = \"persistent\" fault may be there from the start"),
        ),
    };
    Err(text.error(value.span(), message, hint))
}

/// Refuses a pause of the workload that would distort the measurements.
pub(super) fn pause(text: Text<'_>, pause: Option<Spanned<Pause>>, faults: &[Fault]) -> Result<(), ScenarioError> {
    let Some(pause) = pause else { return Ok(()) };
    let at = pause.get_ref().at;
    let over = faults.iter().map(|fault| fault.at + fault.lasts).max().unwrap_or(at);
    let (message, hint) = if at < EARLIEST {
        let message = "too early: the client must be seen to work before the pause";
        (message, format!("write at = \"{}\" or later", exact(EARLIEST)))
    } else if at > over {
        let message = "too late: the pause would interrupt the recovery that is timed";
        (message, format!("write at = \"{}\", when the last fault is over, or earlier", exact(over)))
    } else {
        return Ok(());
    };
    Err(text.error(pause.span(), message, hint))
}

/// Refuses two faults that cannot be in force together.
fn overlaps(text: Text<'_>, placed: &[Placed]) -> Result<(), ScenarioError> {
    // Of faults that exclude each other only the latest can still be in force: the earlier ones were checked before.
    let mut lanes: BTreeMap<String, &Placed> = BTreeMap::new();
    for placed in placed {
        let kind = placed.fault.kind;
        let itself = (kind.is_network() && !kind.blocks_accept()).then(|| kind.to_string());
        let lanes_of = [
            itself,
            kind.blocks_accept().then(|| "the gateway's acceptor".to_owned()),
            (!kind.is_network()).then(|| "the server".to_owned()),
            (kind.spec().acts == Acts::Name).then(|| "the client's name for it".to_owned()),
        ];
        for lane in lanes_of.into_iter().flatten() {
            let Some(before) = lanes.insert(lane, placed) else { continue };
            if end(before) <= placed.fault.at && before.fault.at != placed.fault.at {
                continue;
            }
            let other = format!("the {} of line {}", before.fault.kind, text.line(before.at.start));
            let (message, hint) = if before.fault.at == placed.fault.at {
                (
                    format!("{kind} comes in the same instant as {other}"),
                    "remove one of them, or let it come later".into(),
                )
            } else {
                let over = exact(end(before));
                (
                    format!("{kind} comes while {other} is in force, until {over}"),
                    format!("write at = \"{over}\" or later, or make the other shorter"),
                )
            };
            return Err(text.error(placed.at.clone(), message, hint));
        }
    }
    Ok(())
}
