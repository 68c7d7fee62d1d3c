//! The words of an answer.

use serde::Deserialize;

use crate::error::shorten;
use crate::segment::{punctuate, spread};
use crate::{Recognised, SAMPLES_PER_MS, SpeechError, Word};

/// An answer. Servers leave out what they do not know, or set it to null.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    words: Option<Vec<Timed>>,
    #[serde(default)]
    segments: Option<Vec<Piece>>,
    /// Some servers tell an error with the status of success.
    #[serde(default)]
    error: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Timed {
    #[serde(alias = "text")]
    word: String,
    #[serde(default)]
    start: Option<f64>,
    #[serde(default)]
    end: Option<f64>,
    #[serde(default)]
    probability: Option<f32>,
}

#[derive(Debug, Deserialize)]
struct Piece {
    #[serde(default)]
    start: f64,
    #[serde(default)]
    end: f64,
    #[serde(default)]
    text: String,
    #[serde(default)]
    words: Option<Vec<Timed>>,
    #[serde(default)]
    no_speech_prob: Option<f64>,
    #[serde(default)]
    avg_logprob: Option<f64>,
}

impl Piece {
    /// Whisper's own rule for text that it makes up where nobody speaks.
    fn is_made_up(&self) -> bool {
        self.no_speech_prob.is_some_and(|prob| prob > 0.6) && self.avg_logprob.is_none_or(|prob| prob < -1.0)
    }
}

/// Reads an answer to so many samples.
pub(super) fn read(body: &[u8], samples: usize) -> Result<Recognised, SpeechError> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        SpeechError::transient(shorten(&format!("the server's transcription cannot be read ({error})")))
    })?;
    if let (Some(error), None) = (&answer.error, &answer.text) {
        let reason = shorten(error["message"].as_str().or(error.as_str()).unwrap_or("an error without words"));
        return Err(SpeechError::Unusable { reason: format!("the server of transcriptions says: {reason}") });
    }
    let length_ms = (samples / SAMPLES_PER_MS) as i64;
    let text = answer.text.unwrap_or_default();
    let segments = answer.segments.unwrap_or_default();
    let made_up: Vec<(f64, f64)> =
        segments.iter().filter(|piece| piece.is_made_up()).map(|piece| (piece.start, piece.end)).collect();
    let mut words = answer.words.map(whole_words).unwrap_or_default();
    if words.is_empty() {
        for piece in segments {
            let timed = piece.words.map(whole_words).unwrap_or_default();
            if timed.is_empty() {
                words.extend(spread(&piece.text, milliseconds(piece.start), milliseconds(piece.end)));
            } else {
                words.extend(timed);
            }
        }
    }
    if words.is_empty() {
        words = spread(&text, 0, length_ms);
    }
    punctuate(&text, &mut words);
    words.retain(|word| {
        let middle = word.middle_ms() as f64 / 1_000.0;
        !made_up.iter().any(|(start, end)| (*start..*end).contains(&middle))
    });
    // Times may lie beyond the audio, and go back.
    let mut last_ms = 0;
    for word in &mut words {
        word.start_ms = word.start_ms.clamp(last_ms, length_ms.max(last_ms));
        word.end_ms = word.end_ms.clamp(word.start_ms, length_ms.max(word.start_ms));
        last_ms = word.start_ms;
    }
    Ok(Recognised { text, words, is_final: true, until_ms: length_ms })
}

/// Words from what a server calls words: if they bring their own spaces, what has none goes on with the word before.
fn whole_words(timed: Vec<Timed>) -> Vec<Word> {
    let spaced = timed.iter().skip(1).any(|word| word.word.starts_with(char::is_whitespace));
    let mut words: Vec<Word> = Vec::with_capacity(timed.len());
    for part in timed {
        let text = part.word.trim();
        let start_ms = part.start.map(milliseconds);
        let end_ms = part.end.map(milliseconds);
        match words.last_mut() {
            Some(last) if spaced && !part.word.starts_with(char::is_whitespace) => {
                last.text.push_str(text);
                last.end_ms = end_ms.unwrap_or(last.end_ms);
            }
            last => {
                if text.is_empty() {
                    continue;
                }
                let start_ms = start_ms.or(last.map(|last| last.end_ms)).unwrap_or(0);
                let word = Word::new(text, start_ms, end_ms.unwrap_or(start_ms));
                words.push(Word { confidence: part.probability, ..word });
            }
        }
    }
    words
}

fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1_000.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(body: &str) -> Vec<(String, i64, i64)> {
        let result = read(body.as_bytes(), 3_000 * SAMPLES_PER_MS).expect("an answer");
        assert_eq!((result.until_ms, result.is_final), (3_000, true));
        result.words.into_iter().map(|word| (word.text, word.start_ms, word.end_ms)).collect()
    }

    fn word(text: &str, start_ms: i64, end_ms: i64) -> (String, i64, i64) {
        (text.to_owned(), start_ms, end_ms)
    }

    #[test]
    fn words_have_their_own_times_and_the_texts_punctuation() {
        let body = r#"{"text":"Go on!","words":[{"word":"Go","start":0.5,"end":0.7},{"word":"on","start":0.7,"end":9.0}],
            "segments":[{"start":0.0,"end":2.0,"text":" Go on!"}]}"#;
        assert_eq!(words(body), [word("Go", 500, 700), word("on!", 700, 3_000)]);
    }

    #[test]
    fn without_words_segments_give_times_and_without_segments_the_audio_does() {
        let body = r#"{"text":"go on","words":null,"segments":[{"start":1.0,"end":1.6,"text":" go on"}]}"#;
        assert_eq!(words(body), [word("go", 1_000, 1_300), word("on", 1_300, 1_600)]);
        assert_eq!(words(r#"{"text":"go on"}"#), [word("go", 0, 1_500), word("on", 1_500, 3_000)]);
        assert_eq!(words(r#"{"text":""}"#), []);
    }

    #[test]
    fn parts_of_words_are_put_together() {
        let body = r#"{"text":"hello world","segments":[{"start":0,"end":2,"text":"hello world","words":[
            {"word":" hel","start":0.1,"end":0.2},{"word":"lo","start":0.2,"end":0.4},{"word":" world","start":0.5,"end":0.9}]}]}"#;
        assert_eq!(words(body), [word("hello", 100, 400), word("world", 500, 900)]);
    }

    #[test]
    fn what_is_made_up_in_silence_is_left_out() {
        let body = r#"{"text":"hello thanks for watching","segments":[
            {"start":0.0,"end":1.0,"text":" hello","no_speech_prob":0.1,"avg_logprob":-0.2},
            {"start":1.0,"end":3.0,"text":" thanks for watching","no_speech_prob":0.9,"avg_logprob":-1.4}]}"#;
        assert_eq!(words(body), [word("hello", 0, 1_000)]);
    }

    #[test]
    fn an_error_in_disguise_and_an_answer_that_is_none() {
        let error = read(br#"{"error":"failed to read WAV file"}"#, 16_000).expect_err("an error");
        assert_eq!(error.to_string(), "the server of transcriptions says: failed to read WAV file");
        assert!(matches!(read(b"<html>", 16_000), Err(SpeechError::Transient { .. })));
    }
}
