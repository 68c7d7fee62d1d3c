//! Tells the tasks below a repartition topic for how long this one has been idle.

use super::silence::IdleClock;
use crate::{
    idle_note::IdleNote,
    plan::IdleNotes,
    transport::{ProducerRecord, TopicPartition},
};

/// A silence that lasts is told of less and less often: when it has grown by one part in so many.
pub(super) const GROWTH: i64 = 16;

/// What this task tells through one topic.
#[derive(Debug)]
pub(super) struct Noting {
    notes: IdleNotes,
    partitions: i32,
    /// The task's partition.
    writer: i32,
    /// Goes on while everything that records of the topic are made from is silent.
    pub(super) clock: IdleClock,
    /// When the last record was sent there, by that clock.
    sent_ms: i64,
    /// What was told last.
    told_ms: i64,
    /// Whether this life of the task told something: only then is it sure that nobody knows anything else.
    is_sure: bool,
}

impl Noting {
    pub(super) fn new(notes: IdleNotes, partitions: i32, writer: i32, clock: IdleClock) -> Self {
        Self { notes, partitions, writer, clock, sent_ms: 0, told_ms: 0, is_sure: false }
    }

    /// Whether the record is one of the topic.
    pub(super) fn is_of(&self, record: &ProducerRecord) -> bool {
        *record.topic == *self.notes.topic
    }

    /// A record is about to be sent there: the silence that was told of is over, and it is told first.
    pub(super) fn sends(&mut self, out: &mut Vec<ProducerRecord>, wall_ms: i64) {
        self.sent_ms = self.clock.now_ms;
        self.clock.act();
        if self.told_ms > 0 || !self.is_sure {
            self.is_sure = true;
            self.tell(0, out, wall_ms);
        }
    }

    /// Tells of the present silence, if there is enough that is new. Everything that was sent there before is in `out`.
    pub(super) fn rests(&mut self, out: &mut Vec<ProducerRecord>, wall_ms: i64) {
        let IdleNotes { every_ms, horizon_ms, .. } = self.notes;
        let told_ms = self.told_ms;
        // Where all rest and nothing is open, they tell no more, and so does this task.
        let silent_ms =
            if self.clock.is_over() { horizon_ms } else { (self.clock.now_ms - self.sent_ms).min(horizon_ms) };
        let is_last = silent_ms == horizon_ms && told_ms < horizon_ms;
        if is_last || silent_ms - told_ms >= every_ms.max(told_ms / GROWTH) {
            if !self.is_sure {
                // Nothing is known of the silence before this life of the task: none of it is told of.
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
