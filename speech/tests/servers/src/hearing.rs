//! What a recogniser hears in a session's audio.

use std::sync::Arc;

use crate::draw::Draw;
use crate::{SAMPLES_PER_MS, Script, position};

/// The ears of a stand-in: audio in, words of the script out.
#[derive(Debug)]
pub struct Hearing {
    script: Arc<Script>,
    /// The samples until the position is known.
    begin: Vec<i16>,
    /// The script's position of the first sample, in samples.
    origin: Option<i64>,
    samples: i64,
    /// The next word of the script.
    word: usize,
    jitter_ms: i64,
    draw: Draw,
}

/// A word as it was heard. Times are milliseconds since the session's first sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The word, or what of it was in the audio.
    pub text: String,
    /// When it began.
    pub start_ms: i64,
    /// When it ended.
    pub end_ms: i64,
}

impl Hearing {
    /// Ears for one session. Times tremble by up to `jitter_ms`, as the seed says.
    pub fn new(script: Arc<Script>, jitter_ms: i64, seed: u64) -> Self {
        let draw = Draw::of(seed, 2);
        Self { script, begin: Vec::new(), origin: None, samples: 0, word: 0, jitter_ms, draw }
    }

    /// Takes audio.
    pub fn feed(&mut self, samples: &[i16]) {
        self.samples += samples.len() as i64;
        if self.origin.is_none() {
            self.begin.extend_from_slice(samples);
            self.origin = position::read(&self.begin);
            if let Some(origin) = self.origin {
                self.begin = Vec::new();
                // What was half over when the audio began is not heard; of a bit less, the end is.
                let audible = |word: &&crate::Spoken| sample(word.start_ms + word.end_ms) / 2 < origin;
                self.word = self.script.words.iter().take_while(audible).count();
            }
        }
    }

    /// How much audio came, in milliseconds.
    pub fn heard_ms(&self) -> i64 {
        self.samples / SAMPLES_PER_MS as i64
    }

    /// The words that ended at least `ago_ms` before the last audio.
    pub fn words(&mut self, ago_ms: i64) -> Vec<Heard> {
        self.words_of(|_, ago| ago >= ago_ms)
    }

    /// As [`Hearing::words`], up to the last word that a pause of at least `pause_ms` follows.
    pub fn phrase(&mut self, ago_ms: i64, pause_ms: i64) -> Vec<Heard> {
        let Some(origin) = self.origin else { return Vec::new() };
        let now_ms = (origin + self.samples) / SAMPLES_PER_MS as i64;
        let words = &self.script.words;
        let ends = (self.word..words.len())
            .take_while(|i| words[*i].end_ms + ago_ms <= now_ms)
            .filter(|i| words.get(i + 1).is_none_or(|next| next.start_ms - words[*i].end_ms >= pause_ms));
        let Some(last) = ends.last() else { return Vec::new() };
        self.words_of(|i, _| i <= last)
    }

    /// The words that were heard so far and not given yet, as one text.
    pub fn open_text(&self) -> String {
        let Some(origin) = self.origin else { return String::new() };
        let open = self.script.words[self.word.min(self.script.words.len())..].iter();
        let heard = open.take_while(|word| sample(word.end_ms) <= origin + self.samples);
        heard.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The words that were heard so far, at least to their half: the audio is over.
    pub fn rest(&mut self) -> Vec<Heard> {
        let mut words = self.words(0);
        let (Some(origin), Some(word)) = (self.origin, self.script.words.get(self.word)) else { return words };
        let end = origin + self.samples;
        let middle = sample(word.start_ms + word.end_ms) / 2;
        if middle < end {
            let letters = (word.text.chars().count() / 2).max(1);
            words.push(Heard {
                text: word.text.chars().take(letters).collect(),
                start_ms: (sample(word.start_ms) - origin) / SAMPLES_PER_MS as i64,
                end_ms: self.heard_ms(),
            });
            self.word += 1;
        }
        words
    }

    fn words_of(&mut self, wanted: impl Fn(usize, i64) -> bool) -> Vec<Heard> {
        let Some(origin) = self.origin else { return Vec::new() };
        let mut heard = Vec::new();
        while let Some(word) = self.script.words.get(self.word) {
            let ago = origin + self.samples - sample(word.end_ms);
            if ago < 0 || !wanted(self.word, ago / SAMPLES_PER_MS as i64) {
                break;
            }
            let tremble_ms = self.draw.between(-self.jitter_ms, self.jitter_ms);
            let place = |ms: i64| ((sample(ms) - origin) / SAMPLES_PER_MS as i64 + tremble_ms).max(0);
            let letters = word.text.chars().count();
            // A word whose beginning is missing is heard as its end.
            let missing = if sample(word.start_ms) < origin { letters / 3 } else { 0 };
            heard.push(Heard {
                text: word.text.chars().skip(missing).collect(),
                start_ms: place(word.start_ms),
                end_ms: place(word.end_ms),
            });
            self.word += 1;
        }
        heard
    }
}

fn sample(ms: i64) -> i64 {
    ms * SAMPLES_PER_MS as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Talk, Voice};

    #[test]
    fn all_words_are_heard_wherever_a_session_begins() {
        let script = Arc::new(Script::random(3, 30_000, Talk::Pausing));
        let audio: Vec<i16> = Voice::new(Arc::clone(&script)).flatten().collect();
        let middle = script.words[script.words.len() / 2].start_ms - 5;
        for from_ms in [0, middle] {
            let mut hearing = Hearing::new(Arc::clone(&script), 0, 1);
            let mut heard = Vec::new();
            for samples in audio[sample(from_ms) as usize..].chunks(1_000) {
                hearing.feed(samples);
                heard.extend(hearing.words(300));
            }
            heard.extend(hearing.rest());
            let wanted: Vec<_> = script.words.iter().filter(|word| word.start_ms >= from_ms).collect();
            assert_eq!(heard.len(), wanted.len());
            for (heard, wanted) in heard.iter().zip(wanted) {
                assert_eq!((&heard.text, heard.start_ms + from_ms), (&wanted.text, wanted.start_ms));
            }
        }
    }
}
