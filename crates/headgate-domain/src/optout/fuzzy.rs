//! Misspellings.
//!
//! Owns the distance between two words: how many letters to put in, take out, change, or swap
//! with a neighbour (restricted Damerau-Levenshtein).

use core::mem;

/// From this length on, two slips of the finger are one word still.
const LONG_WORD: usize = 9;

/// Whether `word` is `term` with the slips a word of that length allows, but not `term` itself.
pub(super) fn is_misspelling(word: &[char], term: &[char]) -> bool {
    let allowed = if term.len() >= LONG_WORD { 2 } else { 1 };
    word.len().abs_diff(term.len()) <= allowed && word != term && distance(word, term) <= allowed
}

fn distance(a: &[char], b: &[char]) -> usize {
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    let mut a_before = None;
    for (line, &letter) in a.iter().enumerate() {
        let mut row = vec![line.saturating_add(1)];
        let mut b_before = None;
        for (column, &other) in b.iter().enumerate() {
            let changed = at(&previous, column).saturating_add(usize::from(letter != other));
            let taken_out = at(&previous, column.saturating_add(1)).saturating_add(1);
            let put_in = at(&row, column).saturating_add(1);
            let mut least = changed.min(taken_out).min(put_in);
            if a_before == Some(other) && b_before == Some(letter) {
                let swapped = at(&before, column.saturating_sub(1)).saturating_add(1);
                least = least.min(swapped);
            }
            row.push(least);
            b_before = Some(other);
        }
        before = mem::replace(&mut previous, row);
        a_before = Some(letter);
    }
    at(&previous, b.len())
}

#[cfg(test)]
mod tests {
    use super::{distance, is_misspelling};

    fn check(a: &str, b: &str, expected: usize) {
        let [a, b]: [Vec<char>; 2] = [a, b].map(|word| word.chars().collect());
        assert_eq!(distance(&a, &b), expected);
        assert_eq!(distance(&b, &a), expected);
    }

    #[test]
    fn each_slip_counts_one() {
        check("stop", "stop", 0);
        check("stpo", "stop", 1);
        check("sotp", "stop", 1);
        check("stopp", "stop", 1);
        check("sop", "stop", 1);
        check("shop", "stop", 1);
        check("unsubcribe", "unsubscribe", 1);
        check("unsuscrbie", "unsubscribe", 2);
        check("ca", "abc", 3); // the restricted kind: a swapped pair is not edited again
        check("", "stop", 4);
    }

    #[test]
    fn a_longer_word_forgives_more() {
        let letters = |word: &str| word.chars().collect::<Vec<char>>();
        assert!(is_misspelling(&letters("stpo"), &letters("stop")));
        assert!(!is_misspelling(&letters("stop"), &letters("stop")));
        assert!(!is_misspelling(&letters("stoopp"), &letters("stop")));
        assert!(is_misspelling(
            &letters("unsuscrbie"),
            &letters("unsubscribe")
        ));
    }
}
