//! Runs the topology and feeds it, portion by portion, as far as it may go.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use tidemill::{
    Streams, StreamsConfig, StreamsState,
    transport::{TopicPartition, TransportError, embedded::EmbeddedLog},
};

use crate::{Tested, workload::Work};

/// A run without progress for so long hangs: better an error than a test that never ends.
const HANGS: Duration = Duration::from_mins(1);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Started,
    /// So many input records are processed and committed.
    Done(i64),
}

/// Where a log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Input records processed and committed.
    pub(crate) done: i64,
    /// Records in inputs and topics between tasks that are not.
    pub(crate) pending: i64,
}

impl Progress {
    pub(crate) fn of(work: &Work, log: &EmbeddedLog) -> Result<Self, TransportError> {
        // Positions before ends: what is read in between counts as pending, never the other way round.
        let committed: BTreeMap<_, _> =
            log.group_lag(work.of.app).into_iter().map(|lag| (lag.partition, lag.committed.unwrap_or(0))).collect();
        let mut progress = Self { done: 0, pending: 0 };
        for topic in work.of.inputs.iter().chain(work.of.internal) {
            let ends = match log.end_offsets(topic) {
                // Created at the first start.
                Err(TransportError::UnknownTopic(_)) => continue,
                ends => ends?,
            };
            for (partition, end) in (0..).zip(ends) {
                let position = committed.get(&TopicPartition::new(*topic, partition)).copied().unwrap_or(0);
                progress.pending += end - position;
                progress.done += if work.of.internal.contains(topic) { 0 } else { position };
            }
        }
        Ok(progress)
    }
}

/// Runs until all portions are processed; with fewer it waits at the limit, to be killed.
pub(crate) fn run(
    work: &Work,
    log: &EmbeddedLog,
    config: StreamsConfig,
    limit: i64,
    report: &mut dyn FnMut(Event),
) -> Tested {
    let streams = Streams::start(&(work.of.topology)()?, config, log.clone())?;
    report(Event::Started);
    let (mut known, mut moved, mut waits) = (Progress::of(work, log)?, Instant::now(), false);
    loop {
        if streams.state() != StreamsState::Running {
            streams.close()?;
            return Err("the application stopped by itself".into());
        }
        let now = Progress::of(work, log)?;
        if now.done != known.done {
            report(Event::Done(now.done));
        }
        if now != known {
            (known, moved) = (now, Instant::now());
        } else if moved.elapsed() > HANGS && now.pending > 0 {
            return Err(format!("no progress for {HANGS:?} at {now:?}").into());
        }
        if now.pending == 0 {
            if work.portions_fed(log)? < limit {
                work.feed(log)?;
            } else if limit == work.all_portions() {
                return Ok(streams.close()?);
            } else if !std::mem::replace(&mut waits, true) {
                // A predecessor may have come this far: whoever waits for progress must not wait for ever.
                report(Event::Done(now.done));
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
}
