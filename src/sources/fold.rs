//! Turns what sources told into records and progress.

use std::collections::BTreeMap;

use tidemill::transport::ProducerRecord;
use tidemill_chat::{Batch, Told};
use tidemill_schemas::Arrival;

use super::{
    ChatState, Progress, SpeechProgress, SpeechState,
    events::{Made, Records},
    heard::Heard,
    inbox::What,
};

/// A part of a source that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Chat,
    Speech,
}

/// What is written together.
#[derive(Default)]
pub(super) struct Folded {
    pub(super) records: Vec<ProducerRecord>,
    pub(super) changed: BTreeMap<String, Progress>,
    /// What is over, and whether it was refused.
    pub(super) over: Vec<(String, Part, bool)>,
    /// Chat messages among the records.
    pub(super) messages: u64,
    /// Pieces of speech among the records.
    pub(super) segments: u64,
}

impl Folded {
    /// Adds what a stream told to its progress, and its records to the others.
    pub(super) fn add(&mut self, records: &Records, arrival: Arrival, id: String, mut progress: Progress, what: What) {
        match what {
            What::Chat(Told::State(state)) => {
                (progress.chat, progress.since_ms) = (state.into(), arrival.now_ms);
                if let ChatState::Ended | ChatState::Refused { .. } = progress.chat {
                    self.over.push((id.clone(), Part::Chat, progress.chat != ChatState::Ended));
                }
            }
            What::Chat(Told::Events(Batch { events, position, ended })) => {
                let Made { records, messages, left_out } = records.of(&id, events, arrival);
                self.records.extend(records);
                self.messages += messages;
                progress.messages += messages;
                progress.left_out += left_out;
                progress.position = position.or(progress.position.take());
                if ended {
                    (progress.chat, progress.since_ms) = (ChatState::Ended, arrival.now_ms);
                    self.over.push((id.clone(), Part::Chat, false));
                }
            }
            What::Speech(heard) => self.hear(records, arrival, &id, &mut progress, heard),
        }
        self.changed.insert(id, progress);
    }

    fn hear(&mut self, records: &Records, arrival: Arrival, id: &str, progress: &mut Progress, heard: Heard) {
        let origin_ms = if let Heard::Began { origin_ms } = heard { origin_ms } else { arrival.now_ms };
        let speech = progress.speech.get_or_insert_with(|| SpeechProgress::new(origin_ms));
        match heard {
            Heard::Began { .. } => speech.turn(SpeechState::Connecting, arrival.now_ms),
            Heard::State(state) => {
                if state.is_over() {
                    self.over.push((id.to_owned(), Part::Speech, state != SpeechState::Ended));
                }
                speech.turn(state, arrival.now_ms);
            }
            Heard::LeftOut => speech.left_out += 1,
            // It was heard again, from before the position.
            Heard::Said(segment) if speech.has(segment.end_ms) => {}
            Heard::Said(segment) => {
                speech.position_ms = speech.position_ms.max(Some(segment.end_ms));
                if let Some(record) = records.said(id, segment, arrival) {
                    self.records.push(record);
                    self.segments += 1;
                    speech.segments += 1;
                } else {
                    speech.left_out += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidemill_speech::Segment;

    use super::*;
    use crate::apps::Format;

    const NOW_MS: i64 = 1_767_225_600_000;

    fn progress() -> Progress {
        // As it was stored before there was speech.
        let stored = json!({ "run": 1, "turn": 1, "place": "", "chat": { "state": "connected" }, "since_ms": 0 });
        serde_json::from_value(stored).expect("progress")
    }

    /// What is written of these, and the progress after them.
    fn fold(all: Vec<Heard>) -> (usize, SpeechProgress) {
        let records = Records::new(&Format::Json, |_| Ok::<_, ()>(1)).expect("records");
        let (mut folded, mut progress) = (Folded::default(), progress());
        for heard in all {
            let arrival = Arrival { kept_ms: 3_600_000, ..Arrival::at(NOW_MS) };
            folded.add(&records, arrival, "ada".to_owned(), progress, What::Speech(heard));
            progress = folded.changed["ada"].clone();
        }
        (folded.records.len(), progress.speech.expect("speech"))
    }

    fn said(start_ms: i64) -> Heard {
        let (start_ms, end_ms) = (NOW_MS + start_ms, NOW_MS + start_ms + 400);
        Heard::Said(Segment { text: "so".to_owned(), start_ms, end_ms, is_final: true, words: Vec::new() })
    }

    #[test]
    fn speech_moves_the_position_and_is_not_written_again() {
        let (written, speech) = fold(vec![Heard::Began { origin_ms: 3 }, said(-5_000), said(-5_000), said(-4_700)]);
        assert_eq!((written, speech.segments, speech.origin_ms), (2, 2, 3));
        assert_eq!(speech.position_ms, Some(NOW_MS - 4_300));
    }

    #[test]
    fn speech_that_cannot_be_taken_is_counted_and_does_not_come_again() {
        let (written, speech) = fold(vec![said(-7_200_000), Heard::LeftOut]);
        assert_eq!((written, speech.segments, speech.left_out), (0, 0, 2));
        assert_eq!(speech.position_ms, Some(NOW_MS - 7_200_000 + 400));
    }

    #[test]
    fn only_the_part_that_ends_is_over() {
        let records = Records::new(&Format::Json, |_| Ok::<_, ()>(1)).expect("records");
        let mut folded = Folded::default();
        for (id, state) in [("ada", SpeechState::Ended), ("eve", SpeechState::refused("deaf", "listen"))] {
            let what = What::Speech(Heard::State(state));
            folded.add(&records, Arrival::at(NOW_MS), id.to_owned(), progress(), what);
        }
        assert_eq!(folded.over, [("ada".to_owned(), Part::Speech, false), ("eve".to_owned(), Part::Speech, true)]);
        assert_eq!(folded.changed["ada"].chat, ChatState::Connected);
    }
}
