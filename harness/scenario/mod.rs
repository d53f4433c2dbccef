//! A scenario: what happens to a client and what the client must achieve, read from a TOML file.
//!
//! Owns the format, its version, and the built-in catalogue. `table` reads values by their keys and `meaning` checks
//! them; `path` reads the middlebox, `layout` the topology, `fault` the kind of a fault (by its row in
//! `model::fault`), and `timeline` the times. Each mistake is a [`ScenarioError`] with position and remedy. Nothing
//! here is random: `plan` resolves what a seed decides. The only function with an effect is [`Scenario::read`].

mod catalogue;
mod error;
mod fault;
mod layout;
mod meaning;
mod near;
mod path;
mod table;
mod timeline;
#[cfg(feature = "simulation")]
mod written;

use std::io::Read;
use std::path::Path;

use crate::model::budget::Budget;
use crate::model::fault::{Class, DeviceAsked, Fault, IdleDevice};
use crate::model::middlebox::Middlebox;
use crate::model::pace::Pace;
use crate::model::topology::Topology;

pub use catalogue::{catalogue, cause_of};
pub use error::ScenarioError;
use error::Text;
use table::{Table, first_key};
#[cfg(feature = "simulation")]
pub(crate) use written::Question;

/// The scenario name of a random schedule; its seed identifies it.
pub const RANDOM: &str = "random-schedule";

/// The keys of a file. `order` is the file's place in its folder, which the build script reads.
const KEYS: [&str; 11] =
    ["schema", "title", "order", "cause", "class", "budget", "load", "server", "client", "path", "fault"];

/// Longest file that is read, in bytes: a thousand times the longest shipped scenario.
const LONGEST_FILE: usize = 1 << 20;

/// What happens to a client, and the limits that it must keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file's name without its extension, as `pgsquall run` takes it.
    pub name: String,
    /// The path as the user gave it; `None` for a scenario that is not read from a file of the user's.
    pub file: Option<String>,
    /// The catalogue folder, one for each documented cause; `file` for a file of the user's.
    pub group: String,
    pub title: String,
    /// The documented cause, as its source words it; empty if the file names none.
    pub cause: String,
    /// The comment at the beginning of the file, without its `#` marks; may be empty.
    pub why: String,
    pub class: Class,
    pub budget: Budget,
    pub load: Pace,
    /// The middlebox in the path to the server; `None`: only the gateway.
    pub middlebox: Option<Middlebox>,
    /// The topology beyond a plain server.
    pub layout: Topology,
    /// In the order of their onsets; never empty.
    pub faults: Vec<Fault>,
    /// The device that replaces the file's own (`--device`); `None`: the file's own.
    pub device: Option<DeviceAsked>,
    /// Postgres settings by lower-case name, each at most once.
    pub settings: Vec<(String, String)>,
    /// The file's text.
    pub source: String,
}

impl Scenario {
    /// Parses a scenario's text. Errors name it `place`.
    ///
    /// *Errors*: the first mistake, with its line and column.
    ///
    /// ```
    /// # use pgsquall::scenario::Scenario;
    /// let text = "schema = 1\ntitle = \"All connections close\"\n[[fault]]\nkind = \"close\"\nat = \"2\"\n";
    /// let error = Scenario::parse("mine", "file", "mine.toml", text).unwrap_err();
    /// assert_eq!((error.line, error.column), (5, 6));
    /// assert_eq!(error.hint, "write \"2s\" or \"2ms\"");
    /// ```
    pub fn parse(name: &str, group: &str, place: &str, text: &str) -> Result<Scenario, ScenarioError> {
        if text.len() > LONGEST_FILE {
            return Err(too_long(place));
        }
        let within = Text { place, text };
        if first_key(text).is_empty() {
            return Err(ScenarioError::whole(
                place,
                "the file is empty",
                "`pgsquall list` shows scenarios to copy from",
            ));
        }
        let mut table = Table::read(within, &KEYS)?;
        let Some(title) = meaning::line(within, "title", table.string("title")?)? else {
            let hint = "add title = \"…\": reports call the scenario by it";
            return Err(within.error(first_key(text), "the key `title` is missing", hint));
        };
        table.integer("order")?;
        let classes = [("transient", Class::Transient), ("persistent", Class::Persistent)];
        let class = match table.string("class")? {
            Some(word) => meaning::word(within, "class", &word, &classes)?,
            None => Class::Transient,
        };
        let cause = meaning::line(within, "cause", table.string("cause")?)?.unwrap_or_default();
        let budget = match table.table("budget", &meaning::BUDGET)? {
            Some(table) => meaning::budget(within, table)?,
            None => Budget::default(),
        };
        let (load, pause) = match table.table("load", &meaning::LOAD)? {
            Some(table) => meaning::load(within, table)?,
            None => (Pace::default(), None),
        };
        let path = table.table("path", &["through", "settings"])?;
        let middlebox = path.map(|table| path::middlebox(within, table)).transpose()?;
        let mut server = table.table("server", &layout::SERVER)?;
        let layout = layout::topology(within, server.as_mut(), table.table("client", &layout::CLIENT)?)?;
        let settings = server.map(|mut table| table.settings("settings")).transpose()?.unwrap_or_default();
        let through = middlebox.as_ref().map(|middlebox| middlebox.through);
        let faults = timeline::faults(within, class, &budget, through, &layout, table.tables("fault")?)?;
        timeline::pause(within, pause, &faults)?;
        Ok(Scenario {
            name: name.to_owned(),
            file: None,
            group: group.to_owned(),
            title,
            cause,
            why: leading_comment(text),
            class,
            load,
            middlebox,
            layout,
            faults,
            device: None,
            settings: meaning::settings(within, settings)?,
            budget,
            source: text.to_owned(),
        })
    }

    /// Reads a file of the user's; its name is the file's, its group `file`.
    pub fn read(path: &Path) -> Result<Scenario, ScenarioError> {
        let place = path.display().to_string();
        let failed = |error: std::io::Error| {
            let hint = "give the path of a .toml file, or a name that `pgsquall list` shows";
            ScenarioError::whole(&place, format!("cannot be read: {error}"), hint)
        };
        let mut bytes = Vec::new();
        // One byte above the limit shows that the file is longer, without reading all of it.
        let mut file = std::fs::File::open(path).map_err(failed)?.take(LONGEST_FILE as u64 + 1);
        file.read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > LONGEST_FILE {
            return Err(too_long(&place));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let end = valid.len();
            let message = "the file is not UTF-8 from here on";
            Text { place: &place, text: &valid }.error(end..end, message, "store it as UTF-8, without compression")
        })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let scenario = Scenario::parse(&name, "file", &place, text)?;
        Ok(Scenario { file: Some(place), ..scenario })
    }

    /// Returns this scenario with another device, `scale` times faster than in reality, in place of each device that
    /// ends idle connections. The fault and the pause of the workload are lengthened or shortened by the difference in
    /// idle time.
    ///
    /// `None`: the scenario has no such device.
    pub fn before(mut self, device: &IdleDevice, scale: u32) -> Option<Scenario> {
        let (kind, after) = (device.fault(scale), device.scaled(scale));
        let mut longest = None;
        for fault in &mut self.faults {
            let Some(own) = fault.kind.idle_time() else { continue };
            fault.lasts = (fault.lasts + after).saturating_sub(own).max(after);
            fault.kind = kind;
            longest = longest.max(Some(own));
        }
        let own = longest?;
        if let Some(pause) = &mut self.load.pause {
            pause.lasts = (pause.lasts + after).saturating_sub(own).max(after);
        }
        self.device = Some(DeviceAsked { device: device.word.to_owned(), scale });
        Some(self)
    }

    /// Returns the scenario as `pgsquall run` takes it: a name, or the path of a file.
    pub fn asked(&self) -> &str {
        self.file.as_deref().unwrap_or(&self.name)
    }

    /// Returns the built-in scenario with this name.
    ///
    /// *Errors*: there is none; the error suggests similar names.
    pub fn built_in(name: &str) -> Result<Scenario, ScenarioError> {
        catalogue::built_in(name)
    }
}

fn too_long(place: &str) -> ScenarioError {
    ScenarioError::whole(place, "the file is longer than 1 MiB", "this is not a scenario: one file asks one question")
}

/// Returns the comment lines at the beginning of a text, without their marks.
fn leading_comment(text: &str) -> String {
    let lines = text.trim_start_matches('\u{feff}').lines().skip_while(|line| line.trim().is_empty());
    let comment = lines.map_while(|line| line.trim().strip_prefix('#'));
    comment.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::fault::{FaultKind, USUAL_SCALE};

    #[test]
    fn another_device_moves_the_end_of_the_pause_and_of_the_fault() {
        let own = Scenario::built_in("idle-drop").unwrap();
        let found = own.clone().before(&IdleDevice::AWS_NLB, USUAL_SCALE).unwrap();
        let second = Duration::from_secs;
        assert_eq!(found.faults[0].kind, FaultKind::IdleReset { after: second(4) });
        let lasting = |scenario: &Scenario| (scenario.faults[0].lasts, scenario.load.pause.unwrap().lasts);
        assert_eq!(lasting(&found), (lasting(&own).0 + second(3), lasting(&own).1 + second(3)));
        assert_eq!(found.device.unwrap(), DeviceAsked { device: "aws-nlb".into(), scale: 100 });
        assert_eq!(Scenario::built_in("stall").unwrap().before(&IdleDevice::AWS_NLB, 1), None);
    }
}
