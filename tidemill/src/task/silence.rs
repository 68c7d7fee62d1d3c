//! What a task knows of the silence of its inputs.

use crate::plan::IdleNotes;

/// The longest text of resting writers that is committed. A log limits the metadata of an offset.
const KEPT_MAX: usize = 3_000;

/// The source of an input's silence.
#[derive(Debug)]
pub(crate) enum Silence {
    /// The task observes the input itself.
    Heard(Heard),
    /// The tasks that write the topic send notes.
    Told(Writers),
}

/// What the thread's polls have found of an input.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heard {
    /// How long the polls have found no unread records.
    pub(super) silent_ms: i64,
    /// The part of `silent_ms` that the last poll added.
    pub(super) more_ms: i64,
    /// Whether the last poll found no unread records.
    is_silent: bool,
}

/// The time before a poll returned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    /// For how long the thread waited.
    pub(crate) waited_ms: i64,
    /// How long it processed records after the poll before. This is silence for inputs that had no records at both
    /// polls.
    pub(crate) worked_ms: i64,
    pub(crate) wall_ms: i64,
}

impl Heard {
    /// Takes up the result of a poll.
    pub(super) fn poll(&mut self, is_silent: bool, rest: Rest) {
        self.more_ms = match (is_silent, self.is_silent) {
            (true, true) => rest.waited_ms.saturating_add(rest.worked_ms),
            (true, false) => rest.waited_ms,
            (false, _) => 0,
        };
        self.silent_ms = if is_silent { self.silent_ms.saturating_add(self.more_ms) } else { 0 };
        self.is_silent = is_silent;
    }
}

/// The state of the tasks that write a repartition topic.
#[derive(Debug)]
pub(crate) struct Writers {
    /// After this silence a task sends no more notes: it rests until it sends a record.
    pub(super) horizon_ms: i64,
    pub(super) every_ms: i64,
    pub(super) rests: Vec<bool>,
}

impl Writers {
    /// Starts with the resting writers that the last commit kept.
    pub(super) fn new(notes: &IdleNotes, count: usize, kept: Option<&str>) -> Self {
        let bits: Vec<_> = kept.unwrap_or_default().chars().filter_map(|digit| digit.to_digit(16)).collect();
        let rests = |at: usize| bits.get(at / 4).is_some_and(|bits| bits >> (at % 4) & 1 == 1);
        let IdleNotes { horizon_ms, every_ms, .. } = *notes;
        Self { horizon_ms, every_ms, rests: (0..count).map(rests).collect() }
    }

    /// The partitions of the resting writers.
    pub(super) fn resting(&self) -> Vec<i32> {
        (0..).zip(&self.rests).filter_map(|(writer, rests)| rests.then_some(writer)).collect()
    }

    /// The resting writers as text for the commit. They must be known after a restart, because they send no more notes.
    /// The other writers will.
    pub(super) fn kept(&self) -> Option<String> {
        let digits = self.rests.chunks(4).map(|four| {
            let bits = four.iter().enumerate().map(|(at, rests)| u32::from(*rests) << at).sum();
            char::from_digit(bits, 16).unwrap_or('0')
        });
        let digits: String = digits.collect();
        let digits = digits.trim_end_matches('0');
        (!digits.is_empty() && digits.len() <= KEPT_MAX).then(|| digits.to_owned())
    }
}
