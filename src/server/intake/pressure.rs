//! Backpressure: the records that wait are bounded. Above the bound, senders are told when to try again.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tidemill::transport::TransportError;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    apps::App,
    server::{
        budget::Budget,
        engine::{Engine, RunningApp},
        log::PartitionLag,
        problem::Problem,
    },
};

/// How often lag is measured.
const SAMPLE: Duration = Duration::from_millis(100);
/// How often lag is measured if measuring sends requests to brokers.
const SAMPLE_FAR: Duration = Duration::from_secs(1);

/// Counts records that wait to be processed, and bytes of requests in progress.
pub(in crate::server) struct Pressure {
    lag_records: u64,
    bytes: Budget,
    /// Waiting records of each application that runs here.
    waiting: HashMap<App, Waiting>,
    closing: AtomicBool,
}

/// Waiting records of one application.
#[derive(Default)]
struct Waiting {
    /// The lag at the last measurement.
    measured: AtomicU64,
    /// The lag at the last measurement, by partition.
    partitions: Mutex<Vec<PartitionLag>>,
    /// Records written since the last measurement.
    written: AtomicU64,
    /// Records that were admitted but not written yet.
    arriving: AtomicU64,
}

/// Admitted records. They count until this value is dropped; [`Admitted::written`] counts them as written.
pub(in crate::server) struct Admitted<'a> {
    waiting: &'a Waiting,
    records: u64,
}

impl Admitted<'_> {
    /// Reports that the records are on the log.
    pub(in crate::server) fn written(self) {
        self.waiting.written.fetch_add(self.records, Ordering::SeqCst);
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.waiting.arriving.fetch_sub(self.records, Ordering::SeqCst);
    }
}

impl Pressure {
    pub(in crate::server) fn new(engine: &Engine) -> Self {
        let limits = &engine.settings().limits;
        Self {
            lag_records: limits.lag_records,
            bytes: Budget::new(limits.bytes_in_flight),
            waiting: engine.settings().apps.iter().map(|app| (*app, Waiting::default())).collect(),
            closing: AtomicBool::new(false),
        }
    }

    pub(in crate::server) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// Measures lag until the server closes. Blocks.
    pub(in crate::server) fn watch(&self, engine: &Engine) {
        let pause = if engine.log().is_embedded() { SAMPLE } else { SAMPLE_FAR };
        let mut answers = true;
        while !self.closing.load(Ordering::SeqCst) {
            for app in engine.apps() {
                let measured = self.measure(engine, app);
                if let Err(error) = &measured
                    && answers
                {
                    tracing::warn!(%error, "lag cannot be measured, trying again");
                }
                answers = measured.is_ok();
            }
            std::thread::park_timeout(pause);
        }
    }

    fn measure(&self, engine: &Engine, app: &RunningApp) -> Result<(), TransportError> {
        // Read before the lag is measured: a record written in between counts twice, but never not at all.
        let waiting = self.waiting(app.app);
        let written = waiting.written.load(Ordering::SeqCst);
        let lags = engine.log().group_lag(app.app.id, &app.streams.plan().all_source_topics())?;
        waiting.measured.store(lags.iter().map(|lag| lag.records).sum(), Ordering::SeqCst);
        waiting.written.fetch_sub(written, Ordering::SeqCst);
        *waiting.partitions.lock().unwrap_or_else(PoisonError::into_inner) = lags;
        Ok(())
    }

    /// The records that wait, by partition, at the last measurement.
    pub(in crate::server) fn lags(&self, app: App) -> Vec<PartitionLag> {
        self.waiting(app).partitions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn waiting(&self, app: App) -> &Waiting {
        &self.waiting[&app]
    }

    /// The records that wait, at the last measurement.
    pub(in crate::server) fn lag(&self, app: App) -> u64 {
        self.waiting(app).measured.load(Ordering::SeqCst)
    }

    /// Admits records, or tells the sender when to try again.
    pub(in crate::server) fn admit(&self, app: App, records: usize) -> Result<Admitted<'_>, Problem> {
        let waiting = self.waiting(app);
        let records = records as u64;
        let arriving = waiting.arriving.fetch_add(records, Ordering::SeqCst);
        let admitted = Admitted { waiting, records };
        let known = self.lag(app) + waiting.written.load(Ordering::SeqCst) + arriving;
        if known + records > self.lag_records {
            return Err(Problem::busy("too many records wait to be processed", 1));
        }
        Ok(admitted)
    }

    /// Admits records that will be on the log in a moment, and says whether it did. More records than may ever wait are
    /// admitted when nothing else waits.
    pub(in crate::server) fn admit_most(&self, app: App, records: usize) -> bool {
        let most = usize::try_from(self.lag_records).unwrap_or(usize::MAX);
        self.admit(app, records.min(most)).map(Admitted::written).is_ok()
    }

    /// Reserves memory for a body until the permit is dropped.
    pub(in crate::server) fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        self.bytes.reserve(bytes).ok_or_else(|| Problem::busy("too many bytes of requests are in progress", 1))
    }
}
