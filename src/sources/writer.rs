//! Writes the events of a partition's sources with their progress, all or nothing. A thread of its own, because a
//! producer blocks.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tidemill::transport::{Producer, ProducerConfig, ProducerRecord, TransportError};
use tokio::sync::oneshot;

use super::{GROUP, POSITIONS, Progress, SOURCES, shared::Shared};

/// How long to wait before another attempt.
const PAUSE: Duration = Duration::from_millis(500);

/// Records that belong together, and the progress that shows that they are on the log.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) records: Vec<ProducerRecord>,
    /// A stream and its [`turn`](Progress::turn) in this transaction.
    pub(super) witness: Option<(String, u64)>,
}

/// Another owner writes this partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replaced;

enum Job {
    Open(oneshot::Sender<Result<BTreeMap<String, Progress>, Replaced>>),
    Write(Transaction, oneshot::Sender<Result<(), Replaced>>),
}

/// The writer of a partition. When it is dropped, its thread ends after the attempt that it makes.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    is_closed: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn spawn(shared: Arc<Shared>, partition: i32) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel();
        let is_closed = Arc::new(AtomicBool::new(false));
        let work = Work { shared, partition, is_closed: is_closed.clone(), producer: None };
        thread::Builder::new().name(format!("sources-{partition}")).spawn(move || work.run(&waiting))?;
        Ok(Self { jobs, is_closed })
    }

    /// Fences earlier writers of the partition. Returns what they left.
    pub(super) async fn open(&self) -> Result<BTreeMap<String, Progress>, Replaced> {
        let (done, opened) = oneshot::channel();
        // If the thread has ended, the job is dropped with its sender.
        let _ = self.jobs.send(Job::Open(done));
        opened.await.unwrap_or(Err(Replaced))
    }

    /// Writes a transaction. It is on the log when this returns, once.
    pub(super) async fn write(&self, transaction: Transaction) -> Result<(), Replaced> {
        let (done, written) = oneshot::channel();
        let _ = self.jobs.send(Job::Write(transaction, done));
        written.await.unwrap_or(Err(Replaced))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }
}

struct Work {
    shared: Arc<Shared>,
    partition: i32,
    is_closed: Arc<AtomicBool>,
    producer: Option<Box<dyn Producer>>,
}

/// How an attempt ended.
enum Ended {
    Written,
    /// Nothing of it is on the log, and the producer can go on.
    Aborted,
    /// It may be on the log: a new producer settles it.
    Unknown(TransportError),
    Replaced,
}

impl Work {
    fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Open(done) => {
                    let _ = done.send(self.open());
                }
                Job::Write(transaction, done) => {
                    let written = self.write(&transaction);
                    let is_over = written.is_err();
                    let _ = done.send(written);
                    if is_over {
                        return;
                    }
                }
            }
        }
    }

    /// Opens a producer and reads what earlier writers left, until it succeeds or the writer closes.
    fn open(&mut self) -> Result<BTreeMap<String, Progress>, Replaced> {
        self.producer = None;
        loop {
            if self.is_closed.load(Ordering::SeqCst) {
                return Err(Replaced);
            }
            match self.try_open() {
                Ok(true) => return Ok(self.shared.view.progress_of(self.partition)),
                Ok(false) => return Err(Replaced),
                Err(TransportError::Fenced(_)) => return Err(Replaced),
                Err(error) => {
                    tracing::warn!(partition = self.partition, %error, "sources cannot be opened, trying again");
                }
            }
            thread::park_timeout(PAUSE);
        }
    }

    fn try_open(&mut self) -> Result<bool, TransportError> {
        let config = ProducerConfig { transactional_id: Some(format!("{GROUP}-{}", self.partition)) };
        let mut producer = self.shared.transport.producer(&config)?;
        producer.init_transactions()?;
        self.producer = Some(producer);
        // From here on, no earlier writer adds anything. What the earlier ones wrote must be read.
        let is_alike = self.shared.records.partitions(POSITIONS) == self.shared.records.partitions(SOURCES);
        let mut reader = self.shared.transport.reader()?;
        let here =
            self.shared.view.position_partitions().filter(|place| !is_alike || place.partition == self.partition);
        let ends = here.map(|place| Ok((place.clone(), reader.end(&place)?)));
        let ends = ends.collect::<Result<Vec<_>, TransportError>>()?;
        Ok(self.shared.view.wait_for(&ends))
    }

    fn write(&mut self, transaction: &Transaction) -> Result<(), Replaced> {
        loop {
            match self.attempt(transaction) {
                Ended::Written => return Ok(()),
                Ended::Replaced => return Err(Replaced),
                Ended::Aborted => {}
                Ended::Unknown(error) => {
                    tracing::warn!(partition = self.partition, %error, "events of sources may not be written, looking");
                    let there = self.open()?;
                    if let Some((stream, turn)) = &transaction.witness {
                        match there.get(stream).map_or(0, |progress| progress.turn) {
                            there if there == *turn => return Ok(()),
                            // Another owner wrote in between.
                            there if there + 1 != *turn && there != 0 => return Err(Replaced),
                            _ => {}
                        }
                    }
                }
            }
            if self.is_closed.load(Ordering::SeqCst) {
                return Err(Replaced);
            }
            thread::park_timeout(PAUSE);
        }
    }

    fn attempt(&mut self, Transaction { records, .. }: &Transaction) -> Ended {
        let Some(producer) = &mut self.producer else {
            return Ended::Unknown(TransportError::Retriable("the producer is not open".into()));
        };
        let sent = producer.begin_transaction();
        let sent = sent.and_then(|()| records.iter().cloned().try_for_each(|record| producer.send(record)));
        let ended = sent.and_then(|()| producer.commit_transaction().map(drop));
        match ended {
            Ok(()) if producer.may_end_again() => {
                // The next transaction needs a producer that a late request cannot end.
                self.producer = None;
                match self.open() {
                    Ok(_) => Ended::Written,
                    Err(Replaced) => Ended::Replaced,
                }
            }
            Ok(()) => Ended::Written,
            Err(TransportError::Fenced(_)) => Ended::Replaced,
            Err(TransportError::Abort(reason)) => match producer.abort_transaction() {
                Ok(()) => {
                    tracing::debug!(partition = self.partition, %reason, "events of sources are written again");
                    Ended::Aborted
                }
                Err(TransportError::Fenced(_)) => Ended::Replaced,
                Err(error) => Ended::Unknown(error),
            },
            Err(error) => Ended::Unknown(error),
        }
    }
}
