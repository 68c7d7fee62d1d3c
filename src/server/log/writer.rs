//! One producer for all ingested records. Records of requests that arrive at the same time are written together.

use std::{
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use thiserror::Error;
use tidemill::transport::{Producer, ProducerConfig, ProducerRecord, Transport, TransportError};
use tokio::sync::oneshot;

/// The most records that are written together, unless a single request has more.
const TOGETHER: usize = 10_000;
/// Records that waited longer are refused: their sender has given up, or will do so soon.
const PATIENCE: Duration = Duration::from_secs(10);

/// The shortest time between two appends. Each append writes to the disk and wakes the readers. A single request does
/// not wait.
const PACE: Duration = Duration::from_millis(5);

/// Why records may not be on the log.
#[derive(Debug, Clone, Error)]
pub(in crate::server) enum WriteError {
    /// Earlier records took too long. No record was written.
    #[error("the log does not accept records at the moment")]
    Late,
    /// The server closes. No record was written.
    #[error("the log is closed")]
    Closed,
    /// Some of the records may have been written.
    #[error("the log did not accept the records: {0}")]
    Failed(Arc<TransportError>),
}

impl WriteError {
    /// Whether trying again may help.
    pub(in crate::server) fn is_temporary(&self) -> bool {
        match self {
            Self::Late | Self::Closed => true,
            Self::Failed(error) => matches!(**error, TransportError::Retriable(_) | TransportError::Fenced(_)),
        }
    }
}

impl From<WriteError> for TransportError {
    fn from(error: WriteError) -> Self {
        let reason = error.to_string().into();
        if error.is_temporary() { Self::Retriable(reason) } else { Self::Invalid(reason) }
    }
}

type Written = Result<(), WriteError>;

/// The records of one request.
struct Job {
    records: Vec<ProducerRecord>,
    since: Instant,
    done: oneshot::Sender<Written>,
}

/// A thread with a producer. Dropping the writer waits until the given records are written.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn spawn(transport: Arc<dyn Transport>) -> Result<Self, TransportError> {
        let (jobs, waiting) = mpsc::channel();
        let spawned = thread::Builder::new().name("writer".to_owned()).spawn(move || run(&*transport, &waiting));
        let thread =
            spawned.map_err(|error| TransportError::Invalid(format!("cannot start the writer: {error}").into()))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Passes records to the thread. The answer comes when the records are on the log, or refused.
    pub(super) fn write(&self, records: Vec<ProducerRecord>) -> oneshot::Receiver<Written> {
        let (done, written) = oneshot::channel();
        if let Some(jobs) = &self.jobs {
            // If the thread has ended, the job is dropped with its sender, and the receiver gets an error.
            let _ = jobs.send(Job { records, since: Instant::now(), done });
        }
        written
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic has already printed its message on standard error.
            drop(thread.join());
        }
    }
}

fn run(transport: &dyn Transport, jobs: &mpsc::Receiver<Job>) {
    let mut producer = None;
    while let Ok(first) = jobs.recv() {
        let begun = Instant::now();
        let mut records = first.records.len();
        let mut together = vec![first];
        while records < TOGETHER
            && let Ok(next) = jobs.try_recv()
        {
            records += next.records.len();
            together.push(next);
        }
        let (late, taken): (Vec<_>, Vec<_>) = together.into_iter().partition(|job| job.since.elapsed() > PATIENCE);
        answer(late.into_iter().map(|job| job.done), &Err(WriteError::Late));
        let (batches, waiting): (Vec<_>, Vec<_>) = taken.into_iter().map(|job| (job.records, job.done)).unzip();
        let written = write(transport, &mut producer, batches);
        answer(waiting, &written.map_err(|error| WriteError::Failed(Arc::new(error))));
        thread::sleep(PACE.saturating_sub(begun.elapsed()));
    }
}

/// Answers requests. A request may no longer wait for its answer.
fn answer(waiting: impl IntoIterator<Item = oneshot::Sender<Written>>, written: &Written) {
    waiting.into_iter().for_each(|done| drop(done.send(written.clone())));
}

fn write(
    transport: &dyn Transport,
    open: &mut Option<Box<dyn Producer>>,
    batches: Vec<Vec<ProducerRecord>>,
) -> Result<(), TransportError> {
    if batches.is_empty() {
        return Ok(());
    }
    let mut producer = match open.take() {
        Some(producer) => producer,
        None => transport.producer(&ProducerConfig::default())?,
    };
    let sent = batches.into_iter().flatten().try_for_each(|record| producer.send(record));
    match sent.and_then(|()| producer.flush()) {
        Ok(_) => *open = Some(producer),
        Err(error) => {
            // Refused records must not arrive later, together with other records. The next write uses a new producer.
            producer.discard();
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tidemill::transport::{Headers, embedded::EmbeddedLog};

    use super::*;

    fn record(topic: &str) -> ProducerRecord {
        let (topic, key, value) = (topic.into(), Some("k".into()), Some("v".into()));
        ProducerRecord { topic, partition: 0, timestamp: 0, key, value, headers: Headers::new() }
    }

    #[test]
    fn what_is_answered_is_on_the_log_and_a_refusal_does_not_stop_the_next() {
        let log = EmbeddedLog::in_memory();
        log.create("in", 1).expect("creates");
        let writer = Writer::spawn(Arc::new(log.clone())).expect("a thread");
        writer.write(vec![record("in"), record("in")]).blocking_recv().expect("answers").expect("writes");
        assert_eq!(log.end_offsets("in").expect("reads"), [2]);
        let refused = writer.write(vec![record("nowhere")]).blocking_recv().expect("answers");
        assert!(refused.is_err_and(|error| !error.is_temporary()));
        writer.write(vec![record("in")]).blocking_recv().expect("answers").expect("writes");
        assert_eq!(log.end_offsets("in").expect("reads"), [3]);
    }

    #[test]
    fn closing_waits_for_what_was_handed_over() {
        let log = EmbeddedLog::in_memory();
        log.create("in", 1).expect("creates");
        let writer = Writer::spawn(Arc::new(log.clone())).expect("a thread");
        let answers: Vec<_> = (0..100).map(|_| writer.write(vec![record("in")])).collect();
        drop(writer);
        assert!(answers.into_iter().all(|answer| answer.blocking_recv().is_ok_and(|written| written.is_ok())));
        assert_eq!(log.end_offsets("in").expect("reads"), [100]);
    }
}
