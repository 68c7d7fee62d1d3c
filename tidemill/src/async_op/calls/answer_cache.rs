//! Answers by content, for a time.
//!
//! A cache of a library reads the clock by itself. This one gets the time as a number, so that it runs in simulations.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

use crate::{async_op::AnswerCache, clock::millis};

#[derive(Debug)]
pub(in crate::async_op) struct CachedAnswers {
    time_to_live_ms: i64,
    max_entries: usize,
    answers: HashMap<Bytes, (i64, Bytes)>,
    /// Until when each answer is good, the oldest first.
    ends: BTreeSet<(i64, Bytes)>,
}

impl CachedAnswers {
    pub(super) fn new(settings: AnswerCache) -> Self {
        Self {
            time_to_live_ms: millis(settings.time_to_live),
            max_entries: usize::try_from(settings.max_entries).unwrap_or(usize::MAX),
            answers: HashMap::new(),
            ends: BTreeSet::new(),
        }
    }

    /// An answer that is still good, in wall time.
    pub(super) fn get(&self, content: &Bytes, now_ms: i64) -> Option<Bytes> {
        let (until_ms, answer) = self.answers.get(content)?;
        (*until_ms > now_ms).then(|| answer.clone())
    }

    /// Adds an answer that was given at a wall time. `None` deletes it.
    pub(in crate::async_op) fn put(&mut self, content: Bytes, answer: Option<Bytes>, at_ms: i64, now_ms: i64) {
        if let Some((until_ms, _)) = self.answers.remove(&content) {
            self.ends.remove(&(until_ms, content.clone()));
        }
        // A machine whose clock is ahead does not make its answers good for longer.
        let until_ms = at_ms.min(now_ms).saturating_add(self.time_to_live_ms);
        if let Some(answer) = answer.filter(|_| until_ms > now_ms) {
            self.ends.insert((until_ms, content.clone()));
            self.answers.insert(content, (until_ms, answer));
        }
        while let Some((until_ms, oldest)) = self.ends.first().cloned()
            && (until_ms <= now_ms || self.answers.len() > self.max_entries)
        {
            self.ends.pop_first();
            self.answers.remove(&oldest);
        }
    }
}
