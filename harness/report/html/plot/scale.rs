//! Axes: coordinates of instants and latencies, and round values for ticks. Pure.

use std::time::Duration;

/// A linear axis of seconds, from left to right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Time {
    /// Seconds at the left and right edges.
    pub from: f64,
    pub to: f64,
    /// Coordinates of the edges.
    pub left: f64,
    pub right: f64,
}

impl Time {
    /// Coordinate of an instant, limited to the edges.
    pub fn x(&self, at: f64) -> f64 {
        let share = (at - self.from) / (self.to - self.from).max(1e-9);
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// About `count` round instants, with labels.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let step = step((self.to - self.from) / count.max(1) as f64);
        let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
        let first = (self.from / step).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (first..=last)
            .map(|n| n as f64 * step)
            // No "−0".
            .map(|at| (at, format!("{:.decimals$}", if at == 0.0 { 0.0 } else { at }).replace('-', "−")))
            .collect()
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is at least this.
pub(super) fn step(at_least: f64) -> f64 {
    let at_least = at_least.max(1e-6);
    let power = 10f64.powf(at_least.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= at_least * 0.999)
        .unwrap_or(10.0 * power)
}

/// A logarithmic axis of durations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Logarithmic {
    /// Decimal logarithms of the seconds at the edges.
    low: f64,
    high: f64,
    /// Coordinates of the edges, that of the shorter durations first.
    edges: (f64, f64),
}

impl Logarithmic {
    /// Limits of the axis, as powers of ten of a second: 100 µs and 1000 s.
    const BOUNDS: (f64, f64) = (-4.0, 3.0);

    /// An axis around all of these durations, within [`BOUNDS`](Logarithmic::BOUNDS), with at least two ticks.
    pub fn around(durations: impl Iterator<Item = Duration>, edges: (f64, f64)) -> Logarithmic {
        let (mut least, mut most) = (f64::INFINITY, 0f64);
        for seconds in durations.map(|duration| duration.as_secs_f64()) {
            (least, most) = (least.min(seconds), most.max(seconds));
        }
        let (first, last) = Logarithmic::BOUNDS;
        let least = if least.is_finite() { least } else { 0.001 };
        // Steps of half a power of ten give similar runs the same axis.
        let half = |value: f64, round: fn(f64) -> f64| round(value.max(1e-9).log10() * 2.0) / 2.0;
        let low = half(least, f64::floor).clamp(first, last - 1.0);
        let high = half(most, f64::ceil).clamp(first, last);
        // An axis needs two ticks.
        Logarithmic { low, high: high.max(low.ceil() + 1.0), edges }
    }

    /// Coordinate of a duration, limited to the edges.
    pub fn place(&self, duration: Duration) -> f64 {
        self.at(duration.as_secs_f64().max(1e-9).log10())
    }

    /// Whether a duration is between the edges.
    pub fn holds(&self, duration: Duration) -> bool {
        (self.low..=self.high).contains(&duration.as_secs_f64().max(1e-9).log10())
    }

    fn at(&self, power: f64) -> f64 {
        let share = (power - self.low) / (self.high - self.low);
        let (first, last) = self.edges;
        first + share.clamp(0.0, 1.0) * (last - first)
    }

    /// The powers of ten, with labels.
    pub fn ticks(&self) -> Vec<(f64, &'static str)> {
        const WORDS: [&str; 8] = ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s", "1000 s"];
        let powers = WORDS.iter().enumerate().map(|(index, word)| (Logarithmic::BOUNDS.0 + index as f64, *word));
        let seen = powers.filter(|(power, _)| (self.low..=self.high).contains(power));
        seen.map(|(power, word)| (self.at(power), word)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(from: f64, to: f64, count: usize) -> Vec<String> {
        Time { from, to, left: 0.0, right: 100.0 }.ticks(count).into_iter().map(|(_, word)| word).collect()
    }

    #[test]
    fn ticks_of_time_are_round() {
        assert_eq!(words(-2.0, 8.3, 10), ["−2", "0", "2", "4", "6", "8"]);
        assert_eq!(words(-2.0, 8.3, 11), ["−2", "−1", "0", "1", "2", "3", "4", "5", "6", "7", "8"]);
        assert_eq!(words(0.0, 0.35, 4), ["0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(words(-0.5, 130.0, 8), ["0", "20", "40", "60", "80", "100", "120"]);
        assert!(words(0.0, 0.0, 5).len() < 3, "an axis without length has few ticks");
    }

    #[test]
    fn instants_stay_on_the_picture() {
        let time = Time { from: -2.0, to: 8.0, left: 60.0, right: 160.0 };
        assert_eq!(
            [time.x(-2.0), time.x(0.0), time.x(8.0), time.x(60.0), time.x(-9.0)],
            [60.0, 80.0, 160.0, 160.0, 60.0]
        );
    }

    #[test]
    fn latency_axis_fits_the_latencies() {
        let micros = |all: &[u64]| all.iter().map(|us| Duration::from_micros(*us)).collect::<Vec<_>>();
        let words = |all: &[u64]| {
            let axis = Logarithmic::around(micros(all).into_iter(), (120.0, 0.0));
            axis.ticks().into_iter().map(|(_, word)| word).collect::<Vec<_>>()
        };
        assert_eq!(words(&[420, 3_000, 12_000_000]), ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        assert_eq!(words(&[2_000, 3_000]), ["1 ms", "10 ms"]);
        assert_eq!(words(&[u64::MAX]), ["100 s", "1000 s"]);
        assert_eq!(words(&[0]), ["100 µs", "1 ms"]);
        assert_eq!(words(&[]), ["1 ms", "10 ms"]);
        let axis = Logarithmic::around(micros(&[1_100, 95_000]).into_iter(), (100.0, 0.0));
        let places =
            micros(&[0, 1_000, 10_000, 100_000, 10_000_000]).into_iter().map(|latency| axis.place(latency).round());
        assert_eq!(places.collect::<Vec<_>>(), [100.0, 100.0, 50.0, 0.0, 0.0]);
    }
}
