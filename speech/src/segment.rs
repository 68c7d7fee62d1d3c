//! What comes out: words and segments, with event times of the stream.

/// A word that was spoken.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// The word as the recogniser writes it, with its punctuation if it gives any.
    pub text: String,
    /// When the word began, in milliseconds of event time. In a recogniser's result: since the session's first sample.
    pub start_ms: i64,
    /// When the word ended.
    pub end_ms: i64,
    /// How sure the recogniser is, from 0 to 1, if it says so.
    pub confidence: Option<f32>,
}

impl Word {
    /// A word of which only text and times are known.
    pub fn new(text: impl Into<String>, start_ms: i64, end_ms: i64) -> Self {
        Self { text: text.into(), start_ms, end_ms, confidence: None }
    }

    /// The middle of the word.
    pub fn middle_ms(&self) -> i64 {
        i64::midpoint(self.start_ms, self.end_ms)
    }

    pub(crate) fn shifted(mut self, by_ms: i64) -> Self {
        self.start_ms = self.start_ms.saturating_add(by_ms);
        self.end_ms = self.end_ms.saturating_add(by_ms).max(self.start_ms);
        self
    }
}

/// A piece of transcript.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The spoken text.
    pub text: String,
    /// When the segment began, in milliseconds of event time.
    pub start_ms: i64,
    /// When the segment ended.
    pub end_ms: i64,
    /// Whether the text stays as it is. A segment that is not final is replaced by the next one that is told.
    pub is_final: bool,
    /// The words of the text. A segment that is not final may have none.
    pub words: Vec<Word>,
}

/// A silence after which a new segment begins.
const GAP_MS: i64 = 1_500;
/// The longest segment. Frames of time and captions want short ones.
const LONGEST_MS: i64 = 15_000;
/// The longest text of a segment in bytes; less than what events of the stream may carry.
const LONGEST_TEXT: usize = 2_000;

/// Final words as segments: a new one begins after a silence, and where the last one would get too long.
pub(crate) fn segments_of(words: Vec<Word>) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for word in words {
        match segments.last_mut() {
            Some(last)
                if word.start_ms - last.end_ms < GAP_MS
                    && word.end_ms - last.start_ms <= LONGEST_MS
                    && last.text.len() + word.text.len() < LONGEST_TEXT =>
            {
                append(&mut last.text, &word.text);
                last.end_ms = last.end_ms.max(word.end_ms);
                last.words.push(word);
            }
            _ => segments.push(Segment {
                text: word.text.clone(),
                start_ms: word.start_ms,
                end_ms: word.end_ms,
                is_final: true,
                words: vec![word],
            }),
        }
    }
    segments
}

/// Appends a word to a text. Scripts that write without spaces get none.
fn append(text: &mut String, word: &str) {
    let spaceless = |c: Option<char>| c.is_some_and(is_spaceless);
    if !(spaceless(text.chars().last()) || spaceless(word.chars().next())) {
        text.push(' ');
    }
    text.push_str(word);
}

/// Whether a character belongs to a script that is written without spaces: Thai, Lao, Burmese, Khmer, kana, Han and their
/// punctuation.
fn is_spaceless(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3000}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ff00}'..='\u{ff60}' | '\u{20000}'..='\u{2ffff}')
}

/// Gives words the punctuation of their text, if the text has exactly these words: some recognisers punctuate only the
/// text.
pub(crate) fn punctuate(text: &str, words: &mut [Word]) {
    let tokens: Vec<&str> = text.split_whitespace().collect();
    let same = tokens.len() == words.len()
        && tokens
            .iter()
            .zip(words.iter())
            .all(|(token, word)| crate::seam::plain(token) == crate::seam::plain(&word.text));
    if same {
        for (word, token) in words.iter_mut().zip(tokens) {
            token.clone_into(&mut word.text);
        }
    }
}

/// The words of a text of which only beginning and end are known: each takes its share of the time by its length.
pub(crate) fn spread(text: &str, start_ms: i64, end_ms: i64) -> Vec<Word> {
    let tokens: Vec<&str> = text.split_whitespace().collect();
    let length = |token: &str| token.chars().count() as i64 + 1;
    let total: i64 = tokens.iter().map(|token| length(token)).sum();
    let mut at = 0;
    let mut words = Vec::with_capacity(tokens.len());
    for token in tokens {
        let place = |at: i64| start_ms + (end_ms - start_ms).max(0) * at / total;
        words.push(Word::new(token, place(at), place(at + length(token))));
        at += length(token);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_and_a_long_text_begin_a_new_segment() {
        let mut words = vec![Word::new("one", 0, 300), Word::new("two", 320, 600), Word::new("three", 2_200, 2_500)];
        words.extend((0..40).map(|i| Word::new("more", 2_500 + i * 500, 3_000 + i * 500)));
        let segments = segments_of(words);
        assert_eq!(segments[0].text, "one two");
        assert_eq!((segments[0].start_ms, segments[0].end_ms), (0, 600));
        assert_eq!(segments[1].start_ms, 2_200);
        assert!(segments.iter().all(|segment| segment.end_ms - segment.start_ms <= LONGEST_MS));
        assert_eq!(segments.iter().map(|segment| segment.words.len()).sum::<usize>(), 43);
    }

    #[test]
    fn words_of_a_script_without_spaces_get_none() {
        let words = vec![Word::new("今日", 0, 300), Word::new("は", 300, 400), Word::new("Rust", 400, 700)];
        assert_eq!(segments_of(words)[0].text, "今日はRust");
    }

    #[test]
    fn words_take_punctuation_only_from_their_own_text() {
        let mut words = vec![Word::new("hello", 0, 300), Word::new("world", 300, 600)];
        punctuate("Hello, world.", &mut words);
        assert_eq!(words[0].text, "Hello,");
        punctuate("Goodbye, world.", &mut words);
        assert_eq!(words[0].text, "Hello,");
    }

    #[test]
    fn a_text_without_word_times_is_spread_over_its_time() {
        let words = spread("a longer text", 1_000, 2_500);
        assert_eq!(words.len(), 3);
        assert_eq!((words[0].start_ms, words[2].end_ms), (1_000, 2_500));
        assert!(words[1].end_ms - words[1].start_ms > words[0].end_ms - words[0].start_ms);
        assert!(spread("  ", 0, 10).is_empty());
    }
}
