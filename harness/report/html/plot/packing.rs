//! Packs intervals on as few rows as possible. Pure.

/// Assigns each interval, in the order of their starts, to the first row on which it keeps this distance from the previous one;
/// `None` if all rows are taken.
pub(super) fn pack(intervals: impl Iterator<Item = (f64, f64)>, distance: f64, most_rows: usize) -> Vec<Option<usize>> {
    let mut ends: Vec<f64> = Vec::new();
    intervals
        .map(|(from, to)| {
            if let Some(row) = ends.iter().position(|end| *end + distance <= from) {
                ends[row] = to;
                return Some(row);
            }
            (ends.len() < most_rows).then(|| {
                ends.push(to);
                ends.len() - 1
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_uses_as_few_rows_as_possible() {
        let intervals =
            [(0.0, 10.0), (0.0, 30.0), (12.0, 20.0), (14.0, 18.0), (22.0, 40.0), (31.0, 33.0), (32.0, 50.0)];
        let all = pack(intervals.into_iter(), 2.0, 9);
        assert_eq!(all, [0, 1, 0, 2, 0, 2, 1].map(Some));
        let some = pack(intervals.into_iter(), 2.0, 2);
        assert_eq!(some, [Some(0), Some(1), Some(0), None, Some(0), None, Some(1)]);
    }
}
