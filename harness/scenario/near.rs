//! What somebody may have meant: words in the order of their likeness to a mistyped one.

/// Longest word that is compared, in characters: comparing costs the product of the lengths, and no word that anybody
/// mistypes is longer.
const LONGEST: usize = 64;

/// The candidates, most alike first; equally alike ones keep their order.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut near: Vec<_> = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate)).collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The candidate that was probably meant: at most a third of its letters are wrong.
pub(super) fn meant<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let best = *nearest(word, candidates).first()?;
    (distance(word, best) <= (best.chars().count() / 3).max(1)).then_some(best)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other (optimal string
/// alignment). Case, and `-` for `_`, are not mistakes worth a point.
fn distance(a: &str, b: &str) -> usize {
    let letters = |word: &str| -> Vec<char> {
        word.chars().take(LONGEST + 1).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
    };
    let (a, b) = (letters(a), letters(b));
    if a.len().max(b.len()) > LONGEST {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut cost = (row[j - 1] + change).min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(before[j - 2] + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_mistakes_people_make() {
        let pairs = [("close", "close"), ("clsoe", "close"), ("clos", "close"), ("closed", "close"), ("rest", "reset")];
        assert_eq!(pairs.map(|(a, b)| distance(a, b)), [0, 1, 1, 1, 1]);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("Time-To-Recover", "time_to_recover"), 0);
        assert_eq!((distance("", "abc"), distance("abc", ""), distance("", "")), (3, 3, 0));
    }

    #[test]
    fn only_a_likely_word_was_meant() {
        let words = ["close", "reset", "stall"];
        assert_eq!(meant("clsoe", words), Some("close"));
        assert_eq!(meant("blackhole", words), None);
        assert_eq!(meant(&"x".repeat(1 << 20), words), None);
        assert_eq!(nearest("rest", words)[0], "reset");
    }
}
