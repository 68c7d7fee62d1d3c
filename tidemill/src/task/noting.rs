//! Sends idle notes: they tell the tasks below a repartition topic how long this task has been idle.

use super::idle_clock::{GROWTH, IdleClock};
use crate::{
    idle_note::IdleNote,
    plan::IdleNotes,
    transport::{ProducerRecord, TopicPartition},
};

/// The notes that this task sends to one topic.
#[derive(Debug)]
pub(super) struct Noting {
    notes: IdleNotes,
    partitions: i32,
    /// The task's partition.
    writer: i32,
    /// The clock that advances while all inputs of the topic's records are silent.
    pub(super) clock: IdleClock,
    /// When the last record was sent to the topic, by `clock`.
    sent_ms: i64,
    /// The silence in the last note.
    told_ms: i64,
    /// Whether the task has sent a note since it was opened. Before that, readers may know an older note.
    is_sure: bool,
}

impl Noting {
    pub(super) fn new(notes: IdleNotes, partitions: i32, writer: i32, clock: IdleClock) -> Self {
        Self { notes, partitions, writer, clock, sent_ms: 0, told_ms: 0, is_sure: false }
    }

    /// Whether the record goes to this topic.
    pub(super) fn is_of(&self, record: &ProducerRecord) -> bool {
        *record.topic == *self.notes.topic
    }

    /// A record is about to be sent to the topic. A note first tells that the silence is over.
    pub(super) fn sends(&mut self, out: &mut Vec<ProducerRecord>, wall_ms: i64) {
        self.sent_ms = self.clock.now_ms;
        self.clock.act();
        if self.told_ms > 0 || !self.is_sure {
            self.is_sure = true;
            self.tell(0, out, wall_ms);
        }
    }

    /// Sends a note of the present silence, if it has grown enough. All earlier records of the topic are in `out`.
    pub(super) fn rests(&mut self, out: &mut Vec<ProducerRecord>, wall_ms: i64) {
        let IdleNotes { every_ms, horizon_ms, .. } = self.notes;
        let told_ms = self.told_ms;
        // If all writers above rest and nothing is open, they send no more notes, and neither does this task.
        let silent_ms =
            if self.clock.is_over() { horizon_ms } else { (self.clock.now_ms - self.sent_ms).min(horizon_ms) };
        let is_last = silent_ms == horizon_ms && told_ms < horizon_ms;
        if is_last || silent_ms - told_ms >= every_ms.max(told_ms / GROWTH) {
            if !self.is_sure {
                // The silence before the task was opened is unknown, so it is not counted.
                self.tell(told_ms, out, wall_ms - (silent_ms - told_ms));
            }
            self.is_sure = true;
            self.tell(silent_ms, out, wall_ms);
        }
    }

    fn tell(&mut self, idle_ms: i64, out: &mut Vec<ProducerRecord>, wall_ms: i64) {
        let note = IdleNote { writer: self.writer, idle_ms };
        let partitions = (0..self.partitions).map(|partition| TopicPartition::new(self.notes.topic.clone(), partition));
        out.extend(partitions.map(|to| note.record(to, wall_ms)));
        self.told_ms = idle_ms;
    }
}
