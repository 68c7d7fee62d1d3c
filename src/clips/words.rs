//! What was said in a clip, for its captions: from the transcript, and where that is gone, from stored insights.

use bytes::Bytes;
use tidemill::state::Codec as _;
use tidemill_media::clips::Caption;
use tidemill_schemas::{Insight, TranscriptSegment};

use crate::apps::{Format, Wire, live_insight};

/// The topic of the transcript, keyed by stream.
pub const TRANSCRIPT: &str = live_insight::TRANSCRIPT;

/// How long a word takes whose length nobody knows.
const WORD_MS: i64 = 400;
/// The longest time that a caption without a length stands.
const LONGEST_MS: i64 = 6_000;

/// Collects what was said in a part of a stream.
pub struct Words {
    codec: Wire<TranscriptSegment>,
    from_ms: i64,
    to_ms: i64,
    said: Vec<Caption>,
    phrases: Vec<Caption>,
}

impl Words {
    /// What was said between two event times.
    pub fn between(format: &Format, from_ms: i64, to_ms: i64) -> Self {
        Self { codec: format.codec(TRANSCRIPT), from_ms, to_ms, said: Vec::new(), phrases: Vec::new() }
    }

    /// Takes a record of the transcript. One that cannot be read is left out.
    pub fn take(&mut self, value: Bytes) {
        let Ok(TranscriptSegment { text, timestamp, duration_ms, .. }) = self.codec.decode(value) else { return };
        let duration_ms = duration_ms.filter(|length| *length > 0).unwrap_or_else(|| spoken_ms(&text));
        let caption = Caption { text, start_ms: timestamp, end_ms: timestamp.saturating_add(duration_ms) };
        if self.has(&caption) {
            self.said.push(caption);
        }
    }

    /// Takes a stored insight as JSON.
    pub fn take_insight(&mut self, json: &[u8]) {
        let Ok(insight) = serde_json::from_slice::<Insight>(json) else { return };
        // A phrase whose reaction fell into the next window is in that window, too.
        for phrase in insight.phrases {
            let start_ms = phrase.start_ms;
            let is_long = phrase.end_ms > start_ms;
            let end_ms = if is_long { phrase.end_ms } else { start_ms.saturating_add(spoken_ms(&phrase.text)) };
            let caption = Caption { text: phrase.text, start_ms, end_ms };
            if self.has(&caption) && !self.phrases.contains(&caption) {
                self.phrases.push(caption);
            }
        }
    }

    fn has(&self, caption: &Caption) -> bool {
        caption.start_ms < self.to_ms && caption.end_ms > self.from_ms
    }

    /// The captions in order. Of what was said twice at the same time, the transcript's words stay.
    pub fn captions(self) -> Vec<Caption> {
        let Self { mut said, phrases, .. } = self;
        let is_new = |phrase: &Caption| {
            !said.iter().any(|known| known.start_ms < phrase.end_ms && known.end_ms > phrase.start_ms)
        };
        let phrases: Vec<_> = phrases.into_iter().filter(is_new).collect();
        said.extend(phrases);
        said.sort_by(|a, b| (a.start_ms, a.end_ms, &a.text).cmp(&(b.start_ms, b.end_ms, &b.text)));
        said.dedup();
        said
    }
}

fn spoken_ms(text: &str) -> i64 {
    (text.split_whitespace().count().max(1) as i64).saturating_mul(WORD_MS).min(LONGEST_MS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn segment(text: &str, timestamp: i64, duration_ms: Option<i64>) -> Bytes {
        let mut segment = json!({ "stream_id": "ada", "text": text, "timestamp": timestamp });
        if let Some(duration_ms) = duration_ms {
            segment["duration_ms"] = json!(duration_ms);
        }
        Bytes::from(segment.to_string())
    }

    #[test]
    fn only_what_was_said_in_the_clip_is_shown_in_order_and_once() {
        let mut words = Words::between(&Format::Json, 10_000, 20_000);
        for (text, at, duration) in [
            ("late", 20_000, Some(900)),
            ("two words", 15_000, None),
            ("early", 1_000, Some(500)),
            ("so", 9_800, Some(500)),
        ] {
            words.take(segment(text, at, duration));
            words.take(segment(text, at, duration));
        }
        words.take(Bytes::from_static(b"nothing"));
        let captions = words.captions();
        let shown: Vec<_> = captions.iter().map(|one| (one.text.as_str(), one.start_ms, one.end_ms)).collect();
        assert_eq!(shown, [("so", 9_800, 10_300), ("two words", 15_000, 15_800)]);
    }
}
