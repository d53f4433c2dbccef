//! "Did you mean": sorts known words by their similarity to a mistyped one.

/// Longest word that is compared, in bytes: a comparison costs the product of the lengths, and known words are much
/// shorter.
const LONGEST: usize = 64;

/// Returns the candidates, most similar first; the sort is stable.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut near: Vec<_> = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate)).collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Returns the candidate that was probably meant: at most a third of its letters differ.
pub(super) fn meant<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let best = *nearest(word, candidates).first()?;
    (distance(word, best) <= (best.chars().count() / 3).max(1)).then_some(best)
}

/// Counts the insertions, deletions, substitutions and swaps of neighbours between two words (optimal string
/// alignment). Case, and `-` in place of `_`, do not count.
fn distance(a: &str, b: &str) -> usize {
    let folded = |word: &str| word.replace('-', "_").to_ascii_lowercase();
    match a.len().max(b.len()) > LONGEST {
        true => usize::MAX,
        false => strsim::osa_distance(&folded(a), &folded(b)),
    }
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
