//! Cuts an athlete's frames into pieces, each with a key of its own, so that a session of a piece's key is a repetition.
//!
//! Sessions close by the time of their key. So a piece that has ended gets marks behind its end: the first says that no
//! frame follows, and the clock need not wait for the gap of sessions. The second comes when the athlete's time has
//! passed the grace, and closes the session. So pieces close in their order, whatever the clock does.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use tidemill::{
    Record, Window, Windowed,
    processor::{Output, Processor, ProcessorContext},
    state::{BoxError, Codec, CodecError, Json, Utf8},
};
use tidemill_schemas::PoseFrame;

use super::{
    analysis::{GAP_MS, Pieces, Step, Times},
    frames::Frames,
};
use crate::{
    apps::{TooLate, Windows, refuse_panics},
    clock::millis,
};

/// The store with each athlete's open pieces. The key is the user's id.
pub(super) const STORE: &str = "pieces";

/// The inactivity gap of sessions.
pub(super) const GAP: Duration = Duration::from_millis(GAP_MS as u64);

/// The key of a piece: the user, and the time of the piece's first frame. Its end is not known yet.
pub(super) fn piece(user_id: &str, start_ms: i64) -> Windowed<String> {
    Windowed { key: user_id.to_owned(), window: Window { start: start_ms, end: start_ms } }
}

/// A part of a piece.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Frame(PoseFrame),
    /// Moves the time of the piece's key.
    Mark,
}

/// The codec of parts. No frame begins with the byte of a mark.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartCodec;

const MARK: u8 = 0;

impl Codec<Part> for PartCodec {
    fn encode_into(&self, part: &Part, out: &mut Vec<u8>) -> Result<(), CodecError> {
        match part {
            Part::Frame(frame) => Frames::Packed.encode_into(frame, out),
            Part::Mark => {
                out.push(MARK);
                Ok(())
            }
        }
    }

    fn size_hint(&self, part: &Part) -> usize {
        match part {
            Part::Frame(frame) => Frames::Packed.size_hint(frame),
            Part::Mark => 1,
        }
    }

    fn decode(&self, bytes: Bytes) -> Result<Part, CodecError> {
        if *bytes == [MARK] { Ok(Part::Mark) } else { Frames::Packed.decode(bytes).map(Part::Frame) }
    }

    fn name(&self) -> Option<Cow<'static, str>> {
        Some("pose-frame-or-mark".into())
    }
}

/// Passes each frame on with the key of its piece.
pub(super) struct Cut {
    times: Times,
    late: Output<String, TooLate>,
}

impl Cut {
    pub(super) fn new(windows: &Windows, late: Output<String, TooLate>) -> Self {
        Self { times: Times { window_ms: millis(windows.window), grace_ms: millis(windows.grace) }, late }
    }
}

impl Processor<String, PoseFrame, Windowed<String>, Part> for Cut {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, Part>,
        record: Record<String, PoseFrame>,
    ) -> Result<(), BoxError> {
        let Record { key: user_id, value: frame, timestamp, .. } = record;
        let store = ctx.key_value_store_with::<String, Pieces>(STORE, Utf8, Json::default())?;
        let mut pieces = store.get(&user_id)?.unwrap_or_default();
        let steps = refuse_panics(|| pieces.take(&frame, self.times))?;
        store.put(&user_id, &pieces, timestamp)?;
        // The first time at which a record of the piece is in a session of its own.
        let behind = |end_ms: i64| end_ms.saturating_add(GAP_MS + 1);
        for step in steps {
            let (start_ms, part, at_ms) = match step {
                Step::In(start_ms) => (start_ms, Part::Frame(frame.clone()), timestamp),
                Step::Open(start_ms, end_ms) => (start_ms, Part::Mark, end_ms),
                Step::Ended(start_ms, end_ms) => (start_ms, Part::Mark, behind(end_ms)),
                Step::Closed(start_ms, end_ms) => {
                    (start_ms, Part::Mark, behind(end_ms).saturating_add(self.times.grace_ms))
                }
                Step::Late(behind_ms) => {
                    let late = TooLate { input: "pose", behind_ms: Some(behind_ms) };
                    ctx.forward_to(self.late, Record::new(user_id.clone(), late, timestamp));
                    continue;
                }
            };
            ctx.forward(Record::new(piece(&user_id, start_ms), part, at_ms));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_marks_are_told_apart() {
        let (user_id, exercise) = ("ada".into(), "squat".into());
        let frame =
            PoseFrame { user_id, timestamp: 1, exercise, aspect_ratio: None, mirrored: false, landmarks: Vec::new() };
        for part in [Part::Frame(frame), Part::Mark] {
            let bytes = PartCodec.encode(&part).expect("encodes").expect("is no null");
            assert_eq!(PartCodec.decode(bytes), Ok(part));
        }
    }
}
