//! Places labels beside points of an axis, in lanes, so that none covers another. Pure.

use super::packing::pack;

/// Width of one character of a label at its largest size, on average, in units of the picture.
const CHARACTER: f64 = 6.8;
/// Distance between a point and its label.
const GAP: f64 = 4.0;

/// A placed label.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Label {
    /// The point.
    pub at: f64,
    pub text: String,
    /// Start of the text, or its end if the text is before the point.
    pub x: f64,
    pub is_before: bool,
    /// Lane, from 0; the caller decides whether lanes are counted from the top or from the bottom.
    pub lane: usize,
}

/// Approximate width of a text.
pub(super) fn width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

/// Places each text after its point, or before it at the right edge, in the first free lane.
pub(super) fn place(mut wanted: Vec<(f64, String)>, right: f64) -> Vec<Label> {
    wanted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let labels: Vec<_> = wanted
        .into_iter()
        .map(|(at, text)| {
            let is_before = at + GAP + width(&text) > right;
            Label { at, x: if is_before { at - GAP } else { at + GAP }, text, is_before, lane: 0 }
        })
        .collect();
    // Sorted by the starts of the texts, which may differ from the order of the points.
    let mut extents: Vec<_> = labels.iter().enumerate().map(|(index, label)| (index, extent(label))).collect();
    extents.sort_by(|one, other| one.1.0.total_cmp(&other.1.0));
    let lanes = pack(extents.iter().map(|(_, extent)| *extent), GAP, labels.len());
    let mut placed = labels;
    for ((index, _), lane) in extents.iter().zip(lanes) {
        placed[*index].lane = lane.unwrap_or_default();
    }
    placed
}

/// The interval that a label covers, including its point.
fn extent(label: &Label) -> (f64, f64) {
    let width = width(&label.text);
    if label.is_before { (label.x - width, label.at) } else { (label.at, label.x + width) }
}

/// A text cut to this width.
pub(super) fn fitted(text: &str, room: f64) -> String {
    let most = (room / CHARACTER).max(4.0) as usize;
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most - 1).collect::<String>() + "…" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_do_not_overlap() {
        let words = ["noticed", "first success", "recovered", "budget ends", "clock starts"];
        for spread in [0.0, 1.0, 7.0, 30.0, 200.0] {
            let wanted =
                words.iter().enumerate().map(|(n, text)| (60.0 + n as f64 * spread, (*text).to_owned())).collect();
            let placed = place(wanted, 900.0);
            assert_eq!(placed.len(), words.len());
            for (n, one) in placed.iter().enumerate() {
                let (from, to) = extent(one);
                assert!(from >= 0.0 && to <= 900.0, "{one:?}");
                for other in placed.iter().skip(n + 1).filter(|other| other.lane == one.lane) {
                    let (begins, ends) = extent(other);
                    assert!(ends < from || to < begins, "{one:?} covers {other:?}");
                }
            }
        }
    }

    #[test]
    fn label_at_right_edge_is_before_its_point() {
        let placed = place(vec![(890.0, "budget ends".into()), (100.0, "noticed".into())], 900.0);
        assert_eq!((placed[0].is_before, placed[0].lane, placed[1].is_before, placed[1].lane), (false, 0, true, 0));
    }

    #[test]
    fn long_labels_are_cut() {
        assert_eq!(fitted("restart (fast)", 200.0), "restart (fast)");
        assert_eq!(fitted(&"x".repeat(500), 68.0), format!("{}…", "x".repeat(9)));
        assert_eq!(fitted("certificate", 0.0), "cer…");
    }
}
