//! Backpressure: what waits is bounded, and whoever comes too much is told when to come again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{App, Engine, problem::Problem};

/// How often lag is measured.
const SAMPLE: Duration = Duration::from_millis(100);
/// Bytes of a permit: semaphores count to less than all bytes there may be.
const UNIT: usize = 1024;

/// What waits to be processed, and what is on its way in.
pub(super) struct Pressure {
    lag_records: u64,
    bytes: Arc<Semaphore>,
    units: usize,
    waiting: [Waiting; 2],
}

/// Records of one application.
#[derive(Default)]
struct Waiting {
    /// Lag when it was measured last.
    measured: AtomicU64,
    /// Records written since.
    written: AtomicU64,
    /// Records let in and not written yet.
    arriving: AtomicU64,
}

/// Records that were let in. Dropped without [`Admitted::written`], they do not count any more.
pub(super) struct Admitted<'a> {
    waiting: &'a Waiting,
    records: u64,
}

impl Admitted<'_> {
    /// They are on the log.
    pub(super) fn written(self) {
        self.waiting.written.fetch_add(self.records, Ordering::SeqCst);
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.waiting.arriving.fetch_sub(self.records, Ordering::SeqCst);
    }
}

impl Pressure {
    pub(super) fn new(engine: &Engine) -> Self {
        let limits = &engine.settings().limits;
        let units = limits.bytes_in_flight.div_ceil(UNIT);
        Self {
            lag_records: limits.lag_records,
            bytes: Arc::new(Semaphore::new(units)),
            units,
            waiting: Default::default(),
        }
    }

    /// Measures until the server closes.
    pub(super) async fn watch(self: Arc<Self>, engine: Arc<Engine>) {
        let mut ticks = tokio::time::interval(SAMPLE);
        loop {
            ticks.tick().await;
            for app in engine.apps() {
                // Taken before measuring: what is written in between counts twice, never not at all.
                let waiting = self.waiting(app.app);
                let written = waiting.written.load(Ordering::SeqCst);
                let lag: i64 = engine.log().group_lag(app.app.id()).iter().map(|partition| partition.lag).sum();
                waiting.measured.store(lag.unsigned_abs(), Ordering::SeqCst);
                waiting.written.fetch_sub(written, Ordering::SeqCst);
            }
        }
    }

    fn waiting(&self, app: App) -> &Waiting {
        &self.waiting[app as usize]
    }

    /// Records that wait, as far as known.
    pub(super) fn lag(&self, app: App) -> u64 {
        self.waiting(app).measured.load(Ordering::SeqCst)
    }

    /// Lets records in, or says when to come again.
    pub(super) fn admit(&self, app: App, records: usize) -> Result<Admitted<'_>, Problem> {
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

    /// Reserves memory for a body until the permit is dropped.
    pub(super) fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let units = bytes.div_ceil(UNIT).clamp(1, self.units) as u32;
        self.bytes
            .clone()
            .try_acquire_many_owned(units)
            .map_err(|_| Problem::busy("too many bytes are on their way", 1))
    }
}
