//! Shards of a matrix that is too large for one machine: shard k of n runs every n-th run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of several shards: `3/8`.
///
/// *Shape*: `part` counts from 1, and is at most `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    pub part: u32,
    pub of: u32,
}

impl Shard {
    /// Whether the run of this index in the whole, from 0, belongs to this shard.
    pub fn has(self, index: u32) -> bool {
        index % self.of == self.part - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let number = |text: &str| text.parse().ok();
        let numbers = text.split_once('/').and_then(|(part, of)| Some((number(part)?, number(of)?)));
        match numbers {
            Some((part, of)) if (1..=of).contains(&part) => Ok(Shard { part, of }),
            _ => Err(format!("cannot parse the shard {text:?}: write 1/8, 2/8, … 8/8")),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

/// The shards that a report contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Shards {
    /// Ascending, from 1.
    pub here: Vec<u32>,
    /// Number of shards in all.
    pub of: u32,
}

impl From<Shard> for Shards {
    fn from(Shard { part, of }: Shard) -> Shards {
        Shards { here: vec![part], of }
    }
}

impl Shards {
    /// The shards that are missing.
    pub fn missing(&self) -> Vec<u32> {
        (1..=self.of).filter(|part| !self.here.contains(part)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_take_each_run_once() {
        let parts: Vec<Shard> = ["1/3", "2/3", "3/3"].map(|text| text.parse().unwrap()).into();
        for index in 0..10 {
            assert_eq!(parts.iter().filter(|part| part.has(index)).count(), 1, "{index}");
        }
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", ""] {
            assert!(wrong.parse::<Shard>().unwrap_err().contains("write 1/8"), "{wrong}");
        }
    }
}
