//! When two words are the same.

/// A word without case and punctuation. A word of nothing else stays as it is.
pub(crate) fn plain(word: &str) -> String {
    let letters: String = word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if letters.is_empty() { word.to_owned() } else { letters }
}

/// Whether one is probably a mishearing or another form of the other: most letters are the same, or one begins the other.
pub(crate) fn similar(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    (short.len() >= 3 && long.starts_with(short)) || (long.len() >= 3 && distance(short, long) * 3 <= long.len())
}

/// The number of letters to change, add or leave out.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_punctuation_do_not_count() {
        assert_eq!(plain("Don't,"), "dont");
        assert_eq!(plain("…"), "…");
    }

    #[test]
    fn forms_and_fragments_of_a_word_are_similar() {
        assert!(similar("rendue", "rendu"));
        assert!(similar("transc", "transcript"));
        assert!(!similar("from", "the"));
        assert!(!similar("a", "i"));
    }
}
