//! Deletes calls from their topics when they are old enough. No retention does: Kafka measures age by event time, and a
//! request without an answer must stay.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use tidemill::{
    CallRecord, Clock as _, SystemClock,
    transport::{ConsumedRecord, Offset, Topic, TopicPartition, TransportError},
};

use crate::{
    apps::App,
    clock::millis,
    server::{
        engine::Engine,
        log::{Log, scan},
    },
};

/// The shortest and the longest time between two looks.
const PACE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How far the clocks of instances may differ. What was asked shortly before an erasure is deleted with it.
const SKEW_MS: i64 = 5_000;

/// Keeps the calls of all applications for as long as the settings say.
pub(in crate::server) struct Journal {
    pub(super) engine: Arc<Engine>,
    closing: Mutex<bool>,
    changed: Condvar,
}

impl Journal {
    pub(in crate::server) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, closing: Mutex::default(), changed: Condvar::new() }
    }

    pub(in crate::server) fn close(&self) {
        *self.closing.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Deletes old calls until the server closes. Blocks. Returns at once if no calls are kept.
    pub(in crate::server) fn run(&self) {
        let kept = self.engine.settings().keep_calls;
        if kept.is_zero() {
            return;
        }
        let pace = (kept / 4).clamp(PACE.0, PACE.1);
        while !self.closes_within(pace) {
            for app in self.engine.apps() {
                if let Err(error) = tidy(self.engine.log(), app.app, kept) {
                    tracing::warn!(application = app.app.id, %error, "old calls cannot be deleted, trying again");
                }
            }
        }
    }

    fn closes_within(&self, wait: Duration) -> bool {
        let closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(closing, wait, |closing| !*closing);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Deletes the calls of an application that are old or erased, and done.
fn tidy(log: &Log, app: App, kept: Duration) -> Result<(), TransportError> {
    let (Some([requests, responses]), Some(executors)) = (app.call_topics(), app.executor_group()) else {
        return Ok(());
    };
    for (topic, group) in [(requests, executors.as_str()), (responses, app.id)] {
        for lag in log.group_lag(group, &[Topic::from(&*topic)])? {
            let is_mine = *lag.partition.topic == *topic;
            if let Some(committed) = lag.committed.filter(|_| is_mine) {
                let from_ms = asked_from(log, app, lag.partition.partition, kept)?;
                delete_old(log, &lag.partition, committed, from_ms)?;
            }
        }
    }
    Ok(())
}

/// Deletes the processed records at the beginning of a partition that were asked before `from_ms`.
fn delete_old(log: &Log, partition: &TopicPartition, committed: Offset, from_ms: i64) -> Result<(), TransportError> {
    let mut before = None;
    log.read(|reader| {
        scan(reader, partition, 0, |record| {
            let is_done = record.offset < committed && asked_ms(&record) < from_ms;
            if is_done {
                before = Some(record.offset + 1);
            }
            is_done
        })
    })?;
    before.map_or(Ok(()), |before| log.delete_records(partition, before))
}

/// When a request was asked. Requests that are asked again are no part of the journal.
pub(super) fn asked_ms(record: &ConsumedRecord) -> i64 {
    CallRecord::of_request(record).and_then(|request| request.asked_ms).unwrap_or(i64::MIN)
}

/// The earliest call of a partition that may be shown: it is young enough, and not from before an erasure of an owner
/// of the partition. Like other raw data, calls of other owners are deleted with those of the erased one.
pub(super) fn asked_from(log: &Log, app: App, partition: i32, kept: Duration) -> Result<i64, TransportError> {
    let erasures = TopicPartition::new(app.erasures, partition);
    let mut erased_ms = i64::MIN;
    log.read(|reader| {
        scan(reader, &erasures, 0, |erasure| {
            erased_ms = erased_ms.max(erasure.timestamp + SKEW_MS);
            true
        })
    })?;
    let kept_ms = millis(kept);
    Ok(SystemClock.now_ms().saturating_sub(kept_ms).max(erased_ms))
}
