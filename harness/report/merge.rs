//! Merges the shards of one matrix into the report that a single run would have written.

use super::model::Report;
use super::shard::Shards;

/// Merges shards, in any order. Missing shards are listed in the report's `shards`. A report without shards can only
/// be given alone, and is returned without its comparison.
///
/// *Errors*: a message that names the reports which cannot be merged, and the difference.
pub fn merge(reports: Vec<(String, Report)>) -> Result<Report, String> {
    let mut parts = reports.into_iter();
    let Some((first, mut whole)) = parts.next() else { return Err("cannot merge: no report was named".to_owned()) };
    let (mut shards, mut places) = (whole.shards.take(), vec![first.clone()]);
    // A comparison covers the whole matrix, so it is made again after the merge.
    whole.comparison = None;
    for (place, part) in parts {
        let differs = |what: &str| format!("cannot merge {first} and {place}: {what} differs");
        if part.pgsquall != whole.pgsquall {
            return Err(differs("the version of pgsquall"));
        }
        if part.seed != whole.seed {
            return Err(differs("the seed"));
        }
        let (Some(all), Some(more)) = (&mut shards, &part.shards) else {
            return Err(format!("cannot merge {first} and {place}: not both are shards; run each with --shard I/N"));
        };
        if all.of != more.of {
            return Err(differs("the number of shards"));
        }
        if let Some(twice) = more.here.iter().find(|part| all.here.contains(part)) {
            return Err(format!(
                "cannot merge: shard {twice} is in {place} and in {}; name it once",
                places.join(" or ")
            ));
        }
        if part.scenarios != whole.scenarios {
            return Err(differs("the list of scenarios"));
        }
        all.here.extend(&more.here);
        whole.runs.extend(part.runs);
        whole.began = whole.began.min(part.began);
        places.push(place);
    }
    whole.runs.sort_by_key(|entry| entry.index);
    whole.shards = shards.map(sorted).filter(|shards| !shards.missing().is_empty());
    Ok(whole)
}

fn sorted(mut shards: Shards) -> Shards {
    shards.here.sort_unstable();
    shards
}

impl Report {
    /// The report that this shard would have written.
    #[cfg(test)]
    fn part(&self, shard: super::shard::Shard) -> Report {
        let runs = self.runs.iter().filter(|entry| shard.has(entry.index)).cloned().collect();
        Report { runs, shards: Some(shard.into()), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::seed::Seed;
    use crate::report::samples::every_ending;
    use crate::report::shard::Shard;

    fn parts(whole: &Report, of: u32) -> Vec<(String, Report)> {
        (1..=of).map(|part| (format!("part {part}"), whole.part(Shard { part, of }))).collect()
    }

    #[test]
    fn merged_shards_equal_the_whole_report() {
        let whole = every_ending();
        for of in 1..=12 {
            let mut parts = parts(&whole, of);
            parts.rotate_left(of as usize / 2);
            assert_eq!(merge(parts).unwrap(), whole, "{of}");
        }
    }

    #[test]
    fn missing_shards_are_a_warning() {
        let whole = every_ending();
        let mut parts = parts(&whole, 4);
        parts.remove(2);
        let merged = merge(parts).unwrap();
        assert_eq!(merged.shards.as_ref().unwrap().missing(), [3]);
        assert_eq!(merged.warnings()[0], "only shard 1, 2, 4 of 4; missing: 3");
    }

    #[test]
    fn reports_of_different_runs_are_refused() {
        let whole = every_ending();
        let refused = |change: fn(&mut Report)| {
            let mut parts = parts(&whole, 2);
            change(&mut parts[1].1);
            merge(parts).unwrap_err()
        };
        assert!(refused(|part| part.seed = Seed(8)).contains("the seed differs"));
        assert!(refused(|part| part.pgsquall = "9".into()).contains("version"));
        assert!(refused(|part| part.shards = None).contains("--shard"));
        assert!(refused(|part| part.shards.as_mut().unwrap().of = 3).contains("number of shards"));
        assert!(refused(|part| part.shards.as_mut().unwrap().here = vec![1]).contains("shard 1 is in part 2"));
        assert!(refused(|part| part.scenarios.clear()).contains("the list of scenarios"));
        assert!(merge(Vec::new()).is_err());
    }
}
