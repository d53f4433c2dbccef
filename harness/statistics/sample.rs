//! The recovery times of repeats of one run.

use std::time::Duration;

use super::bound::Bound;

/// What one repeat showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The client had recovered after this long.
    Recovered(Duration),
    /// It had not recovered after this long, when the run ended: its time is longer. *Censored*, as statisticians say.
    Censored(Duration),
}

impl Observation {
    /// How long it took, or was watched in vain.
    pub fn time(self) -> Duration {
        match self {
            Observation::Recovered(time) | Observation::Censored(time) => time,
        }
    }

    /// Whether the run ended before the client had recovered.
    pub fn is_censored(self) -> bool {
        matches!(self, Observation::Censored(_))
    }
}

/// Repeats, which are taken to be independent and alike; the order in which they ran does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    sorted: Vec<Observation>,
}

impl Sample {
    /// A sample of these repeats, of which there may be none.
    pub fn new(observations: impl IntoIterator<Item = Observation>) -> Sample {
        let mut sorted: Vec<_> = observations.into_iter().collect();
        // A client that was given up at the same instant at which another recovered took longer than that one.
        sorted.sort_by_key(|observation| (observation.time(), observation.is_censored()));
        Sample { sorted }
    }

    /// How many repeats there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// How many had not recovered when they ended.
    pub fn censored(&self) -> usize {
        self.sorted.iter().filter(|observation| observation.is_censored()).count()
    }

    /// The repeats, ascending by time; at the same time those that recovered come first.
    pub fn sorted(&self) -> &[Observation] {
        &self.sorted
    }

    /// The shortest time to recover; `None` without repeats.
    pub fn min(&self) -> Option<Bound> {
        self.ranked(1)
    }

    /// The longest time to recover, which is beyond the longest watched where that client had not recovered, or where another
    /// that was watched more briefly had not; `None` without repeats.
    pub fn max(&self) -> Option<Bound> {
        self.ranked(self.len())
    }

    /// The time of this rank, from 1 for the shortest; `None` where there is no such rank.
    ///
    /// It is known where so many recovered before the first that was given up. Beyond that, the time at which one was given up
    /// is the least that its rank can come to.
    pub(super) fn ranked(&self, rank: usize) -> Option<Bound> {
        let at = self.sorted.get(rank.checked_sub(1)?)?.time();
        match self.sorted[..rank].iter().any(|observation| observation.is_censored()) {
            false => Some(Bound::Known(at)),
            true => Some(Bound::Beyond(at)),
        }
    }

    /// The most that the time of this rank can be, were each that was given up never to recover; `None` where that is no limit.
    pub(super) fn at_most(&self, rank: usize) -> Option<Duration> {
        let recovered = self.sorted.iter().filter(|observation| !observation.is_censored());
        recovered.map(|observation| observation.time()).nth(rank.checked_sub(1)?)
    }
}
