//! What a source wants to be heard.

use tidemill_chat::Url;
use tidemill_media::CaptionsWanted;

use super::Speech;
use crate::sources::{LiveSource, Media, SpeechState};

/// What of a source is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sources) struct Wish {
    /// The address of the audio.
    pub(in crate::sources) media: Url,
    /// Whether captions are read in its place.
    pub(in crate::sources) captions: CaptionsWanted,
}

impl Wish {
    /// What of a source is heard: its option `media` or its own address, with its option `captions` or the server's choice.
    /// `None` if its option `speech` is false, or nothing here could make words of it.
    ///
    /// # Errors
    /// The state that says why it cannot be heard.
    pub(in crate::sources) fn of(source: &LiveSource, speech: &Speech) -> Result<Option<Self>, SpeechState> {
        if source.options.get("speech").and_then(serde_json::Value::as_bool) == Some(false) {
            return Ok(None);
        }
        let wanted = match source.options.get("captions").map(serde_json::Value::as_str) {
            None => speech.captions,
            Some(Some("off")) => CaptionsWanted::Off,
            Some(Some("prefer")) => CaptionsWanted::Prefer,
            Some(Some("only")) => CaptionsWanted::Only,
            Some(_) => {
                let reason = "the option captions is neither off, prefer nor only";
                return Err(SpeechState::refused(reason, "send the address again with one of them"));
            }
        };
        let captions = match wanted {
            CaptionsWanted::Off if speech.recogniser.is_none() => return Ok(None),
            // Nothing could make words of the audio.
            CaptionsWanted::Prefer if speech.recogniser.is_none() => CaptionsWanted::Only,
            wanted => wanted,
        };
        let media = Media::address_of(source).map_err(|(reason, remedy)| SpeechState::refused(reason, remedy))?;
        Ok(Some(Self { media, captions }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sources::{Guard, RecogniserChoice, SpeechSettings};

    /// Which captions are read of a source with these options, or why it is not heard.
    fn captions(
        recogniser: RecogniserChoice,
        captions: CaptionsWanted,
        options: serde_json::Value,
    ) -> Result<Option<CaptionsWanted>, SpeechState> {
        let settings = SpeechSettings { recogniser, captions, ..SpeechSettings::default() };
        let speech = Speech::open(&settings, Guard::default()).expect("it can be used");
        let source = json!({ "url": "https://a.test/live.m3u8", "platform": "a", "wished": "running", "run": 1, "options": options });
        let source = serde_json::from_value(source).expect("a source");
        Wish::of(&source, &speech).map(|wish| wish.map(|wish| wish.captions))
    }

    #[tokio::test]
    async fn a_source_may_choose_where_its_words_come_from() {
        use CaptionsWanted::{Off, Only, Prefer};
        let recogniser = || RecogniserChoice::Pocketsphinx;
        assert_eq!(captions(recogniser(), Off, json!({})), Ok(Some(Off)));
        assert_eq!(captions(recogniser(), Prefer, json!({})), Ok(Some(Prefer)));
        assert_eq!(captions(recogniser(), Prefer, json!({ "captions": "off" })), Ok(Some(Off)));
        assert_eq!(captions(recogniser(), Off, json!({ "captions": "only" })), Ok(Some(Only)));
        assert_eq!(captions(recogniser(), Only, json!({ "speech": false })), Ok(None));
    }

    #[tokio::test]
    async fn without_a_recogniser_only_captions_are_read() {
        let off = || RecogniserChoice::Off;
        assert_eq!(captions(off(), CaptionsWanted::Off, json!({})), Ok(None));
        assert_eq!(captions(off(), CaptionsWanted::Prefer, json!({})), Ok(Some(CaptionsWanted::Only)));
        assert_eq!(
            captions(off(), CaptionsWanted::Off, json!({ "captions": "prefer" })),
            Ok(Some(CaptionsWanted::Only))
        );
        let refused = captions(off(), CaptionsWanted::Only, json!({ "captions": true })).expect_err("no such choice");
        assert!(format!("{refused:?}").contains("neither off, prefer nor only"), "{refused:?}");
    }
}
