//! Joins the segments of a speech recogniser into phrases.

use tidemill_schemas::TranscriptSegment;

/// Speech recognisers send single words. Segments with a gap smaller than this belong to one phrase.
const JOIN_GAP_MS: i64 = 700;
/// A longer phrase is cut, so that each reaction has one cause.
const PHRASE_MAX_MS: i64 = 8_000;
/// Two versions of the same speech differ in at most this share of the letters of the shorter version.
const CORRECTED: f64 = 0.4;
/// Only so many letters of two segments are compared. The limit bounds the cost of long segments.
const COMPARED: usize = 160;

/// A stretch of speech.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phrase {
    pub(super) text: String,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

/// A segment, or what is left of several versions of it.
struct Piece {
    said: Phrase,
    /// Whether the recogniser knows the duration.
    timed: bool,
}

/// Joins segments into phrases. A segment that repeats, extends or corrects the segment before it replaces it, because
/// recognisers send intermediate results while the speaker continues the sentence.
pub(super) fn phrases(segments: impl Iterator<Item = TranscriptSegment>) -> Vec<Phrase> {
    let mut phrases: Vec<Phrase> = Vec::new();
    for piece in settled(segments) {
        if let Some(last) = phrases.last_mut() {
            let together = piece.start_ms - last.end_ms <= JOIN_GAP_MS;
            let fits = piece.end_ms - last.start_ms <= PHRASE_MAX_MS;
            if together && fits && !ends_sentence(&last.text) {
                last.text.push(' ');
                last.text.push_str(&piece.text);
                last.end_ms = last.end_ms.max(piece.end_ms);
                continue;
            }
        }
        phrases.push(piece);
    }
    phrases
}

/// The segments in the order of speech, without the intermediate results.
fn settled(segments: impl Iterator<Item = TranscriptSegment>) -> impl Iterator<Item = Phrase> {
    let piece = |segment: TranscriptSegment| {
        let (text, start_ms, end_ms) = (segment.text.trim().to_owned(), segment.timestamp, segment.end_ms());
        Piece { said: Phrase { text, start_ms, end_ms }, timed: segment.duration_ms.is_some() }
    };
    let mut ordered: Vec<Piece> = segments.map(piece).collect();
    ordered.sort_by(|a, b| (a.said.start_ms, rank(&a.said)).cmp(&(b.said.start_ms, rank(&b.said))));
    let mut settled: Vec<Piece> = Vec::with_capacity(ordered.len());
    for piece in ordered {
        match settled.last_mut() {
            Some(last) if is_version(last, &piece.said) => {
                let (said, timed) = (piece.said, last.timed || piece.timed);
                let (start_ms, end_ms) = (last.said.start_ms, last.said.end_ms.max(said.end_ms));
                let text = if rank(&said) > rank(&last.said) { said.text } else { std::mem::take(&mut last.said.text) };
                *last = Piece { said: Phrase { text, start_ms, end_ms }, timed };
            }
            _ => settled.push(piece),
        }
    }
    settled.into_iter().map(|piece| piece.said)
}

/// Of two versions the one with the higher rank is kept: it ends later, it has the punctuation of a final result, or it
/// is longer.
fn rank(piece: &Phrase) -> (i64, bool, usize, &str) {
    (piece.end_ms, ends_sentence(&piece.text), piece.text.len(), &piece.text)
}

fn ends_sentence(text: &str) -> bool {
    text.ends_with(['.', '!', '?', '…', '。', '！', '？', '।', '؟', '۔'])
}

/// Whether the second piece is another version of the first: of the same time, and with nearly the same letters. The
/// same words at another time were said twice.
fn is_version(first: &Piece, second: &Phrase) -> bool {
    let Piece { said: first, timed } = first;
    let same_start = second.start_ms == first.start_ms;
    if same_start || *timed {
        let same_time = same_start || second.start_ms < first.end_ms;
        return same_time && differ(&letters(&first.text), &letters(&second.text)) <= CORRECTED;
    }
    // Without a duration, the words of the first piece must begin the second piece, which must write them otherwise.
    second.start_ms - first.end_ms <= JOIN_GAP_MS
        && first.text != second.text
        && letters(&second.text).starts_with(&letters(&first.text))
}

/// The letters and digits of a text in lower case: what stays if case, punctuation and spaces change.
fn letters(text: &str) -> Vec<char> {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(COMPARED).collect()
}

/// The share of the shorter text's letters that must change to make it a part of the longer text.
fn differ(a: &[char], b: &[char]) -> f64 {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.is_empty() {
        return if long.is_empty() { 0.0 } else { 1.0 };
    }
    // Edit distance (Sellers 1980): a part of the longer text may begin and end anywhere.
    let mut row = vec![0_usize; long.len() + 1];
    for (i, wanted) in short.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, found) in long.iter().enumerate() {
            let replaced = diagonal + usize::from(wanted != found);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    let least = row.into_iter().min().unwrap_or(short.len());
    least as f64 / short.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(segments: &[(i64, i64, &str)]) -> Vec<(i64, i64, String)> {
        let segment = |(timestamp, duration_ms, text): &(i64, i64, &str)| TranscriptSegment {
            stream_id: "s".into(),
            text: (*text).into(),
            timestamp: *timestamp,
            duration_ms: (*duration_ms > 0).then_some(*duration_ms),
        };
        let phrases = phrases(segments.iter().map(segment));
        let mut backwards = self::phrases(segments.iter().rev().map(segment));
        assert_eq!(phrases, backwards, "the order of arrival changes nothing");
        backwards.clear();
        phrases.into_iter().map(|phrase| (phrase.start_ms, phrase.end_ms, phrase.text)).collect()
    }

    #[test]
    fn single_words_become_a_phrase_until_a_pause() {
        let words = [(0, 300, "we"), (350, 300, "did"), (700, 400, "it"), (3_000, 500, "next")];
        assert_eq!(joined(&words), [(0, 1_100, "we did it".into()), (3_000, 3_500, "next".into())]);
    }

    #[test]
    fn a_growing_guess_replaces_the_one_before() {
        let guesses = [(0, 400, "hello"), (0, 800, "hello every"), (10, 1_200, "hello everyone")];
        assert_eq!(joined(&guesses), [(0, 1_210, "hello everyone".into())]);
    }

    #[test]
    fn a_final_result_replaces_its_guess_in_another_case_and_punctuation() {
        let said = [(0, 800, "hello every"), (0, 1_200, "Hello, everyone.")];
        assert_eq!(joined(&said), [(0, 1_200, "Hello, everyone.".into())]);
        let same_length = [(0, 1_200, "hello everyone"), (0, 1_200, "Hello, everyone.")];
        assert_eq!(joined(&same_length), [(0, 1_200, "Hello, everyone.".into())]);
        let refined = [(20, 800, "hello every"), (0, 1_200, "Hello, everyone."), (1_300, 400, "So,")];
        assert_eq!(joined(&refined), [(0, 1_200, "Hello, everyone.".into()), (1_300, 1_700, "So,".into())]);
    }

    #[test]
    fn a_corrected_word_replaces_the_guess() {
        let said = [(0, 900, "I scream for"), (0, 1_500, "Ice cream for you!")];
        assert_eq!(joined(&said), [(0, 1_500, "Ice cream for you!".into())]);
        let said = [(500, 2_000, "we go to the bench"), (500, 2_600, "We go to the beach today.")];
        assert_eq!(joined(&said), [(500, 3_100, "We go to the beach today.".into())]);
    }

    #[test]
    fn single_words_are_replaced_by_the_sentence_that_contains_them() {
        let said = [(0, 300, "hello"), (350, 250, "every"), (0, 900, "Hello, everyone."), (650, 250, "one")];
        assert_eq!(joined(&said), [(0, 900, "Hello, everyone.".into())]);
    }

    #[test]
    fn guesses_without_a_duration_are_replaced_too() {
        let said = [(0, 0, "hello"), (300, 0, "hello every"), (900, 0, "Hello, everyone.")];
        assert_eq!(joined(&said), [(0, 900, "Hello, everyone.".into())]);
    }

    #[test]
    fn what_was_said_twice_stays_twice() {
        let said = [(0, 500, "Do it again."), (600, 500, "Do it again.")];
        assert_eq!(joined(&said).len(), 2);
        let words = [(0, 300, "no"), (350, 300, "no"), (700, 400, "no way")];
        assert_eq!(joined(&words), [(0, 1_100, "no no no way".into())]);
        let untimed = [(0, 0, "yes"), (400, 0, "yes")];
        assert_eq!(joined(&untimed), [(0, 400, "yes yes".into())]);
        let delivered_twice = [(0, 500, "Do it again."), (0, 500, "Do it again.")];
        assert_eq!(joined(&delivered_twice).len(), 1);
    }

    #[test]
    fn two_people_who_speak_at_once_are_both_heard() {
        let said = [(0, 1_500, "Look at the left door."), (400, 1_500, "My grandmother called."), (400, 300, "Oh!")];
        let heard: String = joined(&said).into_iter().map(|(_, _, text)| text + " ").collect();
        assert!(heard.contains("left door.") && heard.contains("grandmother"), "{heard}");
    }

    #[test]
    fn endless_speech_is_cut() {
        let words: Vec<(i64, i64, &str)> = (0..100).map(|i| (i * 300, 250, "word")).collect();
        let phrases = joined(&words);
        assert!(phrases.len() >= 4 && phrases.iter().all(|(start, end, _)| end - start <= PHRASE_MAX_MS));
    }

    #[test]
    fn a_sentence_ends_a_phrase() {
        let sentences = [(0, 500, "Done."), (600, 500, "Next one."), (1_200, 500, "هل تسمعني؟"), (1_800, 500, "so")];
        assert_eq!(joined(&sentences).len(), 4);
    }
}
