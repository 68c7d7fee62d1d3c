//! What pocketsphinx writes.

use serde::Deserialize;

use crate::{Recognised, Word};

/// Reads the output line by line.
///
/// Before release 5, each utterance is a line of text and a line for each word: the word, its first and last second, and
/// how sure it is. From release 5 on, each utterance is an object in one line.
#[derive(Debug, Default)]
pub(super) struct Output {
    words: Vec<Word>,
    until_ms: i64,
}

/// An utterance or a word, from release 5 on.
#[derive(Debug, Deserialize)]
struct Heard {
    /// When it begins, in seconds.
    b: f64,
    /// How long it is, in seconds.
    d: f64,
    /// How sure it is.
    p: f32,
    /// Its text.
    t: String,
    /// Its words.
    #[serde(default)]
    w: Vec<Heard>,
}

impl Output {
    /// Takes a line. Gives the words of the utterance that it ends, if it ends one.
    pub(super) fn line(&mut self, line: &str) -> Option<Recognised> {
        if line.starts_with('{') {
            // A line that cannot be read has no words; what else is written counts.
            let heard: Heard = serde_json::from_str(line).ok()?;
            for word in heard.w {
                self.word(&word.t, word.b, word.b + word.d, word.p);
            }
            self.until_ms = self.until_ms.max(milliseconds(heard.b + heard.d));
            return self.end();
        }
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [word, start, end, sure] = fields[..]
            && let (Ok(start), Ok(end), Ok(sure)) = (start.parse(), end.parse(), sure.parse())
        {
            self.word(word, start, end, sure);
            // The last mark of an utterance.
            return if word == "</s>" { self.end() } else { None };
        }
        None
    }

    /// The words that no line ended.
    pub(super) fn end(&mut self) -> Option<Recognised> {
        let words = std::mem::take(&mut self.words);
        if words.is_empty() {
            return None;
        }
        let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        Some(Recognised { text, words, is_final: true, until_ms: self.until_ms })
    }

    fn word(&mut self, text: &str, start: f64, end: f64, sure: f32) {
        let (start_ms, end_ms) = (milliseconds(start), milliseconds(end));
        self.until_ms = self.until_ms.max(end_ms);
        // Silence, noise and the marks of an utterance are in brackets. A number in brackets is the pronunciation.
        if text.starts_with(['<', '[', '+']) {
            return;
        }
        let text = text.split('(').next().unwrap_or(text);
        self.words.push(Word { confidence: Some(sure.clamp(0.0, 1.0)), ..Word::new(text, start_ms, end_ms) });
    }
}

fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1_000.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(result: &Recognised) -> Vec<(&str, i64, i64)> {
        result.words.iter().map(|word| (word.text.as_str(), word.start_ms, word.end_ms)).collect()
    }

    #[test]
    fn utterances_of_releases_before_5_end_with_their_mark() {
        let mut output = Output::default();
        let lines = ["go to it", "<s> 0.480 0.580 0.999200", "go 0.590 0.720 0.985110", "to(3) 0.730 0.920 0.5"];
        assert!(lines.iter().all(|line| output.line(line).is_none()));
        assert_eq!(output.line("<sil> 0.930 1.100 0.8"), None);
        assert_eq!(output.line("it 1.110 1.300 1.0001"), None);
        let result = output.line("</s> 1.310 1.700 1.0").expect("the end of an utterance");
        assert_eq!(texts(&result), [("go", 590, 720), ("to", 730, 920), ("it", 1_110, 1_300)]);
        assert_eq!((result.until_ms, result.is_final, result.words[2].confidence), (1_700, true, Some(1.0)));
        assert_eq!(output.end(), None);
    }

    #[test]
    fn utterances_of_release_5_are_objects() {
        let line = r#"{"b":0.000,"d":2.110,"p":1.000,"t":"go it","w":[{"b":0.000,"d":0.500,"p":0.9,"t":"<s>"},
            {"b":0.500,"d":0.250,"p":0.8,"t":"go"},{"b":0.750,"d":0.300,"p":0.7,"t":"it(2)"}]}"#
            .replace('\n', "");
        let result = Output::default().line(&line).expect("an utterance");
        assert_eq!(texts(&result), [("go", 500, 750), ("it", 750, 1_050)]);
        assert_eq!(result.until_ms, 2_110);
    }

    #[test]
    fn what_is_not_output_has_no_words() {
        let mut output = Output::default();
        assert_eq!(output.line("{\"b\":"), None);
        assert_eq!(output.line("READY.... now"), None);
        assert_eq!(output.line(""), None);
        assert_eq!(output.end(), None);
    }
}
