//! The recovery times of repeated runs.

use std::time::Duration;

use super::bound::Bound;

/// The recovery time of one repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The client had recovered after this long.
    Recovered(Duration),
    /// The client had not recovered after this long, when its observation ended: its time is longer. The statistical
    /// term is *censored*.
    Censored(Duration),
}

impl Observation {
    /// The time-to-recover, or its lower bound.
    pub fn time(self) -> Duration {
        match self {
            Observation::Recovered(time) | Observation::Censored(time) => time,
        }
    }

    /// Whether the observation ended before the client had recovered.
    pub fn is_censored(self) -> bool {
        matches!(self, Observation::Censored(_))
    }
}

/// Repeats, assumed to be independent and identically distributed; their order does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    sorted: Vec<Observation>,
}

impl Sample {
    /// A sample of these repeats; it may be empty.
    pub fn new(observations: impl IntoIterator<Item = Observation>) -> Sample {
        let mut sorted: Vec<_> = observations.into_iter().collect();
        // At the same time, a censored repeat took longer than a recovered one.
        sorted.sort_by_key(|observation| (observation.time(), observation.is_censored()));
        Sample { sorted }
    }

    /// Number of repeats.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are no repeats.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Number of censored repeats.
    pub fn censored(&self) -> usize {
        self.sorted.iter().filter(|observation| observation.is_censored()).count()
    }

    /// The repeats, ascending by time; at the same time recovered ones are first.
    pub fn sorted(&self) -> &[Observation] {
        &self.sorted
    }

    /// The shortest time to recover; `None` without repeats.
    pub fn min(&self) -> Option<Bound> {
        self.ranked(1)
    }

    /// The longest time to recover; a lower bound if any repeat is censored; `None` without repeats.
    pub fn max(&self) -> Option<Bound> {
        self.ranked(self.len())
    }

    /// The time of this rank, from 1 for the shortest; `None` if there is no such rank.
    ///
    /// The time is known if no repeat up to this rank is censored; otherwise it is a lower bound.
    pub(super) fn ranked(&self, rank: usize) -> Option<Bound> {
        let at = self.sorted.get(rank.checked_sub(1)?)?.time();
        match self.sorted[..rank].iter().any(|observation| observation.is_censored()) {
            false => Some(Bound::Known(at)),
            true => Some(Bound::Beyond(at)),
        }
    }

    /// Upper bound for the time of this rank, even if no censored repeat ever recovers: the time of this rank among the
    /// recovered repeats. `None` if there are too few of them.
    pub(super) fn at_most(&self, rank: usize) -> Option<Duration> {
        let recovered = self.sorted.iter().filter(|observation| !observation.is_censored());
        recovered.map(|observation| observation.time()).nth(rank.checked_sub(1)?)
    }
}
