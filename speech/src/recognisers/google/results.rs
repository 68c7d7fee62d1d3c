//! The words of a stream's responses.

use prost_types::Duration;

use super::proto::{StreamingRecognitionResult, StreamingRecognizeResponse, WordInfo};
use crate::segment::{punctuate, spread};
use crate::{Recognised, Word};

/// Reads the responses of one stream.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// Up to here, results were final.
    final_ms: i64,
}

impl Results {
    /// The results of a response: final ones, and one of all that may still change.
    pub(super) fn read(&mut self, response: StreamingRecognizeResponse) -> Vec<Recognised> {
        let mut read = Vec::new();
        let mut open = Recognised { until_ms: self.final_ms, ..Recognised::default() };
        for result in response.results {
            if result.is_final {
                read.extend(self.take_final(result));
            } else if let Some(first) = result.alternatives.into_iter().next() {
                open.text.push_str(&first.transcript);
                open.until_ms = open.until_ms.max(result.result_end_offset.as_ref().map_or(0, milliseconds));
            }
        }
        let text = open.text.trim().to_owned();
        if !text.is_empty() {
            read.push(Recognised { text, ..open });
        }
        read
    }

    fn take_final(&mut self, result: StreamingRecognitionResult) -> Option<Recognised> {
        let end_ms = result.result_end_offset.as_ref().map_or(0, milliseconds);
        let before_ms = self.final_ms;
        let first = result.alternatives.into_iter().next();
        let Some(first) = first.filter(|first| !first.transcript.trim().is_empty()) else {
            // Nobody spoke up to here.
            self.final_ms = before_ms.max(end_ms);
            return (end_ms > before_ms).then(|| Recognised {
                is_final: true,
                until_ms: end_ms,
                ..Recognised::default()
            });
        };
        let text = first.transcript.trim().to_owned();
        let mut words: Vec<Word> = first.words.into_iter().map(word).collect();
        if words.iter().all(|word| word.end_ms == 0) {
            // The model gives no times.
            words = spread(&text, before_ms, end_ms.max(before_ms));
        }
        punctuate(&text, &mut words);
        let last_ms = words.last().map_or(end_ms, |word| word.end_ms);
        self.final_ms = before_ms.max(end_ms).max(last_ms);
        Some(Recognised { text, words, is_final: true, until_ms: self.final_ms })
    }
}

fn word(info: WordInfo) -> Word {
    let start_ms = info.start_offset.as_ref().map_or(0, milliseconds);
    let end_ms = info.end_offset.as_ref().map_or(start_ms, milliseconds).max(start_ms);
    // 0 means that it is not set.
    let confidence = (info.confidence > 0.0).then_some(info.confidence);
    Word { confidence, ..Word::new(info.word, start_ms, end_ms) }
}

fn milliseconds(duration: &Duration) -> i64 {
    duration.seconds.saturating_mul(1_000).saturating_add(i64::from(duration.nanos) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::super::proto::SpeechRecognitionAlternative;
    use super::*;

    fn at(ms: i64) -> Duration {
        Duration { seconds: ms / 1_000, nanos: (ms % 1_000) as i32 * 1_000_000 }
    }

    fn result(text: &str, words: Vec<WordInfo>, is_final: bool, end_ms: i64) -> StreamingRecognitionResult {
        StreamingRecognitionResult {
            alternatives: vec![SpeechRecognitionAlternative { transcript: text.to_owned(), confidence: 0.0, words }],
            is_final,
            result_end_offset: Some(at(end_ms)),
            ..StreamingRecognitionResult::default()
        }
    }

    fn info(word: &str, start_ms: i64, end_ms: i64) -> WordInfo {
        WordInfo {
            word: word.to_owned(),
            start_offset: Some(at(start_ms)),
            end_offset: Some(at(end_ms)),
            confidence: 0.0,
        }
    }

    fn read(results: &mut Results, result: Vec<StreamingRecognitionResult>) -> Vec<Recognised> {
        results.read(StreamingRecognizeResponse { results: result, ..StreamingRecognizeResponse::default() })
    }

    #[test]
    fn final_results_have_words_and_open_ones_are_one_text() {
        let mut results = Results::default();
        let words = vec![WordInfo { start_offset: None, ..info("go", 0, 300) }, info("on", 300, 500)];
        let response = vec![
            result("Go on.", words, true, 900),
            result(" and then", Vec::new(), false, 1_500),
            result(" stop", Vec::new(), false, 2_000),
        ];
        let read = read(&mut results, response);
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].is_final, read[0].until_ms), (true, 900));
        assert_eq!(read[0].words[1], Word::new("on.", 300, 500));
        assert_eq!((read[1].text.as_str(), read[1].is_final, read[1].until_ms), ("and then stop", false, 2_000));
    }

    #[test]
    fn a_model_without_times_gets_them_from_its_results() {
        let mut results = Results::default();
        read(&mut results, vec![result("one", Vec::new(), true, 1_000)]);
        let words = vec![WordInfo { start_offset: None, end_offset: None, ..info("two", 0, 0) }];
        let read = read(&mut results, vec![result("two", words, true, 2_000)]);
        assert_eq!(read[0].words, [Word::new("two", 1_000, 2_000)]);
    }

    #[test]
    fn a_final_result_without_text_moves_time_on() {
        let read = read(&mut Results::default(), vec![result(" ", Vec::new(), true, 4_000)]);
        assert_eq!((read[0].until_ms, read[0].words.len()), (4_000, 0));
    }
}
