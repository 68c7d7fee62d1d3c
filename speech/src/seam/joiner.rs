//! The words of sessions that follow each other, as one line of words.

use super::align;
use crate::Word;

/// Times of words are not exact: a word this far outside what both heard may still have been heard by both.
const TREMBLE_MS: i64 = 1_000;
/// How much of the words that were given out is remembered, in milliseconds. It is longer than any overlap.
const REMEMBERED_MS: i64 = 60_000;

/// Joins the words of sessions. Each method returns the words that nothing can change any more.
#[derive(Debug)]
pub(crate) struct Joiner {
    /// The last words that were given out.
    given: Vec<Word>,
    /// Final words of the last session that the next one hears again.
    held: Vec<Word>,
    /// Up to here, all words are decided.
    reached_ms: i64,
    seam: Option<Seam>,
    seams: u64,
}

#[derive(Debug)]
struct Seam {
    start_ms: i64,
    /// The new session's words, until they cover all that both heard.
    new: Vec<Word>,
}

impl Joiner {
    pub(crate) fn new() -> Self {
        Self { given: Vec::new(), held: Vec::new(), reached_ms: i64::MIN, seam: None, seams: 0 }
    }

    /// How many seams were joined since this was asked last.
    pub(crate) fn take_seams(&mut self) -> u64 {
        std::mem::take(&mut self.seams)
    }

    /// Up to which time the words are decided, if any are.
    pub(crate) fn reached_ms(&self) -> Option<i64> {
        (self.reached_ms > i64::MIN).then_some(self.reached_ms)
    }

    /// Whether words wait for the other side of a seam.
    pub(crate) fn is_at_seam(&self) -> bool {
        self.seam.is_some()
    }

    /// A session begins with audio from `start_ms`.
    pub(crate) fn begin(&mut self, start_ms: i64) -> Vec<Word> {
        if start_ms < self.reached_ms {
            self.seam = Some(Seam { start_ms, new: Vec::new() });
            return Vec::new();
        }
        self.seam = None;
        let held = std::mem::take(&mut self.held);
        self.give(held)
    }

    /// Final words of the session. No later words of it begin before `until_ms`. Words that end after `hold_from_ms` are
    /// heard again by the next session.
    pub(crate) fn words(&mut self, words: Vec<Word>, until_ms: i64, hold_from_ms: Option<i64>) -> Vec<Word> {
        let Some(seam) = &mut self.seam else {
            self.reached_ms = self.reached_ms.max(until_ms);
            return self.give_or_hold(words, hold_from_ms);
        };
        seam.new.extend(words);
        if until_ms < self.reached_ms.saturating_add(TREMBLE_MS) {
            return Vec::new();
        }
        self.close_seam(until_ms, hold_from_ms)
    }

    /// The session has ended. It has decided all words before `until_ms`. If this does not cover what both heard, the
    /// session that tries again hears it once more.
    pub(crate) fn end(&mut self, until_ms: i64, hold_from_ms: Option<i64>) -> Vec<Word> {
        if self.seam.is_some() {
            if until_ms < self.reached_ms {
                self.seam = None;
                return Vec::new();
            }
            return self.close_seam(until_ms, hold_from_ms);
        }
        self.reached_ms = self.reached_ms.max(until_ms);
        Vec::new()
    }

    /// Nobody knows when a session follows: its words are joined to those that were given out.
    pub(crate) fn release(&mut self) -> Vec<Word> {
        let held = std::mem::take(&mut self.held);
        self.give(held)
    }

    /// No session follows, or one of another time.
    pub(crate) fn finish(&mut self) -> Vec<Word> {
        let mut words = match self.seam.take() {
            Some(seam) if self.held.is_empty() => seam.new,
            _ => Vec::new(),
        };
        words.splice(0..0, std::mem::take(&mut self.held));
        self.given.clear();
        self.reached_ms = i64::MIN;
        words
    }

    fn close_seam(&mut self, until_ms: i64, hold_from_ms: Option<i64>) -> Vec<Word> {
        let Some(seam) = self.seam.take() else { return Vec::new() };
        self.seams += 1;
        let near_ms = seam.start_ms - TREMBLE_MS;
        let given = &self.given[self.given.partition_point(|word| word.end_ms < near_ms)..];
        let fixed = given.len();
        let old: Vec<Word> = given.iter().chain(&self.held).cloned().collect();
        let near = seam.new.partition_point(|word| word.start_ms <= self.reached_ms.saturating_add(TREMBLE_MS));
        let middle_ms = i64::midpoint(seam.start_ms, self.reached_ms);
        let change = align(&old, fixed, &seam.new[..near], middle_ms);
        self.held.clear();
        self.reached_ms = self.reached_ms.max(until_ms);
        let mut words = old[fixed..change.keep_old].to_vec();
        words.extend(seam.new.into_iter().skip(change.skip_new));
        self.give_or_hold(words, hold_from_ms)
    }

    fn give_or_hold(&mut self, mut words: Vec<Word>, hold_from_ms: Option<i64>) -> Vec<Word> {
        if let Some(hold_from_ms) = hold_from_ms {
            let first = words.iter().position(|word| word.end_ms > hold_from_ms).unwrap_or(words.len());
            // Once a word is held, all that follow are, so that they stay in order.
            let first = if self.held.is_empty() { first } else { 0 };
            self.held.extend(words.split_off(first));
        }
        self.give(words)
    }

    fn give(&mut self, words: Vec<Word>) -> Vec<Word> {
        self.given.extend(words.iter().cloned());
        if let Some(last_ms) = self.given.last().map(|word| word.end_ms) {
            let old = self.given.partition_point(|word| word.end_ms < last_ms - REMEMBERED_MS);
            self.given.drain(..old);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, start_ms: i64) -> Vec<Word> {
        let words = text.split_whitespace().enumerate();
        words.map(|(i, word)| Word::new(word, start_ms + i as i64 * 400, start_ms + i as i64 * 400 + 350)).collect()
    }

    fn text(words: Vec<Word>) -> String {
        words.into_iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_that_the_next_session_hears_again_wait_for_it() {
        let mut joiner = Joiner::new();
        assert_eq!(text(joiner.begin(0)), "");
        assert_eq!(text(joiner.words(words("one two three four fi", 0), 2_000, Some(800))), "one two");
        joiner.end(2_000, Some(800));
        assert_eq!(text(joiner.begin(800)), "");
        assert_eq!(text(joiner.words(words("three four five", 800), 2_000, None)), "");
        assert_eq!(text(joiner.words(words("six", 2_000), 3_500, None)), "three four five six");
        assert_eq!(joiner.take_seams(), 1);
    }

    #[test]
    fn a_session_that_breaks_is_heard_again_without_doubling() {
        let mut joiner = Joiner::new();
        joiner.begin(0);
        assert_eq!(text(joiner.words(words("one two three", 0), 1_200, None)), "one two three");
        joiner.end(1_200, None);
        // The first attempt brings nothing, and the second one hears an old word again.
        joiner.begin(700);
        joiner.end(700, None);
        joiner.begin(700);
        assert_eq!(text(joiner.words(words("three four five six seven", 830), 2_700, None)), "four five six seven");
    }

    #[test]
    fn held_words_are_given_when_no_session_follows() {
        let mut joiner = Joiner::new();
        joiner.begin(0);
        joiner.words(words("one two three", 0), 1_200, Some(0));
        joiner.end(1_200, Some(0));
        assert_eq!(text(joiner.finish()), "one two three");
    }
}
