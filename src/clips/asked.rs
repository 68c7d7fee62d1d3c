//! What clients ask for.

use serde::{Deserialize, Serialize};
use tidemill::murmur2;
use tidemill_media::{
    ClipId, ClipRequest,
    clips::{Footage, Shape},
};

use super::{ClipError, ClipSettings};

/// The longest reason, in bytes.
const REASON_BYTES: usize = 500;
/// The shortest clip.
const SHORTEST_MS: i64 = 500;

/// A clip that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// When it begins: event time of the stream, in epoch milliseconds.
    pub start_ms: i64,
    /// When it ends. It may be still to come.
    pub end_ms: i64,
    /// Why it is worth a clip, for people. It becomes the clip's title.
    #[serde(default)]
    pub reason: Option<String>,
    /// `landscape` or `portrait`. Default `landscape`.
    #[serde(default)]
    pub shape: Shape,
    /// Whether what was said is burnt in, as far as it is known. Default true.
    #[serde(default)]
    pub captions: Option<bool>,
}

/// All clips of a stream: its best candidates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct All {
    /// The most clips. Default 10.
    #[serde(default = "ten")]
    pub most: usize,
    /// The shape of all of them.
    #[serde(default)]
    pub shape: Shape,
    /// Whether what was said is burnt in. Default true.
    #[serde(default)]
    pub captions: Option<bool>,
    /// When they are made. Default `now`.
    #[serde(default)]
    pub when: When,
}

/// When all clips of a stream are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At once, of what there is.
    #[default]
    Now,
    /// When the stream has ended.
    End,
    /// Not any more: takes an earlier wish back.
    Never,
}

fn ten() -> usize {
    10
}

impl All {
    /// The most clips of one wish.
    const MOST: usize = 50;

    /// Checks the number of clips.
    ///
    /// # Errors
    /// [`ClipError::NotValid`] with the field.
    pub fn check(&self) -> Result<(), ClipError> {
        if (1..=Self::MOST).contains(&self.most) {
            return Ok(());
        }
        let fix = format!("send a number from 1 to {}", Self::MOST);
        Err(ClipError::field("most", format!("is {}", self.most), fix))
    }
}

impl Asked {
    /// Checks the times and the reason against the clock and the settings.
    ///
    /// # Errors
    /// [`ClipError::NotValid`] with the field that is wrong; [`ClipError::Conflict`] where the moment has not come.
    pub(super) fn check(&self, settings: &ClipSettings, now_ms: i64) -> Result<(), ClipError> {
        let Self { start_ms, end_ms, reason, .. } = self;
        if *start_ms < 0 {
            return Err(ClipError::field("start_ms", format!("is {start_ms}"), "send epoch milliseconds"));
        }
        if end_ms <= start_ms {
            return Err(ClipError::field("end_ms", "is not after start_ms", "send a time after start_ms"));
        }
        let length_ms = end_ms - start_ms;
        if length_ms < SHORTEST_MS {
            let fix = format!("let the clip last at least {SHORTEST_MS} ms");
            return Err(ClipError::field("end_ms", format!("is only {length_ms} ms after start_ms"), fix));
        }
        let longest_ms = settings.longest_asked().as_millis() as i64;
        if length_ms > longest_ms {
            let fix = format!("let the clip last at most {} seconds; clips.longest allows more", longest_ms / 1_000);
            return Err(ClipError::field("end_ms", format!("is {} seconds after start_ms", length_ms / 1_000), fix));
        }
        if let Some(reason) = reason.as_ref().filter(|reason| reason.len() > REASON_BYTES) {
            let fix = format!("send at most {REASON_BYTES} bytes");
            return Err(ClipError::field("reason", format!("has {} bytes", reason.len()), fix));
        }
        if *start_ms > now_ms {
            let error = "there is no footage of this moment yet: it is still to come".to_owned();
            let fix = "ask again when it has begun; times are epoch milliseconds of the stream".to_owned();
            return Err(ClipError::Conflict { error, fix });
        }
        Ok(())
    }

    /// The name of the clip. Who asks for the same again gets the same clip.
    pub(super) fn id(&self, stream_id: &str) -> Result<ClipId, ClipError> {
        let Self { start_ms, end_ms, shape, .. } = self;
        let shape = match shape {
            Shape::Landscape => "l",
            Shape::Portrait => "p",
        };
        let captions = if self.wants_captions() { "c" } else { "" };
        let of = murmur2(stream_id.as_bytes());
        let name = format!("{start_ms}-{}-{shape}{captions}-{of:08x}", end_ms - start_ms);
        ClipId::new(name).map_err(ClipError::of_media)
    }

    fn wants_captions(&self) -> bool {
        self.captions.unwrap_or(true)
    }

    /// The clip as it is made.
    pub(super) fn request(self, stream_id: &str, footage: Footage, settings: &ClipSettings) -> ClipRequest {
        let captioned = self.wants_captions();
        let Self { start_ms, end_ms, reason, shape, .. } = self;
        // A title is an argument of a program: control characters have no meaning there.
        let title: String = reason.unwrap_or_default().chars().filter(|letter| !letter.is_control()).collect();
        ClipRequest {
            title: title.trim().to_owned(),
            footage: vec![footage],
            start_ms,
            end_ms,
            lead_in_ms: settings.lead_in.as_millis() as i64,
            shape,
            captions: Vec::new(),
            captioned,
            owner: stream_id.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW_MS: i64 = 1_767_225_600_000;

    fn asked(value: Value) -> Asked {
        serde_json::from_value(value).expect("a request")
    }

    fn refused(start_ms: i64, end_ms: i64) -> String {
        let asked = asked(json!({ "start_ms": NOW_MS + start_ms, "end_ms": NOW_MS + end_ms }));
        asked.check(&ClipSettings::default(), NOW_MS).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_range_that_no_clip_has_is_refused_with_what_to_do() {
        assert_eq!(refused(-60_000, -30_000), "");
        assert_eq!(refused(-10_000, 20_000), "", "its end may be still to come");
        assert!(refused(-10_000, -10_000).contains("send a time after start_ms"));
        assert!(refused(-10_000, -9_900).contains("at least 500 ms"));
        assert!(refused(-400_000, -10_000).contains("at most 300 seconds"));
        assert!(refused(5_000, 9_000).contains("no footage of this moment yet"));
        assert!(refused(-10_000, i64::MAX - NOW_MS).contains("at most 300 seconds"));
    }

    #[test]
    fn the_same_wish_has_the_same_name_and_another_one_another() {
        let name = |stream: &str, value| String::from(asked(value).id(stream).expect("a name"));
        let plain = json!({ "start_ms": 1_000, "end_ms": 2_000 });
        assert_eq!(
            name("ada", plain.clone()),
            name("ada", json!({ "start_ms": 1_000, "end_ms": 2_000, "reason": "x" }))
        );
        let others = [
            name("ida", plain.clone()),
            name("ada", json!({ "start_ms": 1_000, "end_ms": 2_001 })),
            name("ada", json!({ "start_ms": 1_000, "end_ms": 2_000, "shape": "portrait" })),
            name("ada", json!({ "start_ms": 1_000, "end_ms": 2_000, "captions": false })),
        ];
        assert!(others.iter().all(|other| *other != name("ada", plain.clone())), "{others:?}");
    }

    #[test]
    fn what_nobody_knows_is_not_taken_for_something_else() {
        for wrong in [json!({ "start_ms": 1 }), json!({ "start_ms": 1, "end_ms": 2, "shape": "round" })] {
            assert!(serde_json::from_value::<Asked>(wrong).is_err());
        }
        assert!(serde_json::from_value::<Asked>(json!({ "start_ms": 1, "end_ms": 2, "from": 1 })).is_err());
        let all: All = serde_json::from_value(json!({})).expect("a wish");
        assert_eq!((all.most, all.when), (10, When::Now));
        assert!(All { most: 0, ..all }.check().is_err());
    }
}
