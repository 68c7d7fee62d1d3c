//! Which windows are due, and which results pages received.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Deserialize;
use tidemill::{Clock as _, SystemClock};
use tidemill_schemas::{CallOutcome, Provenance};

/// A window of a stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    pub(super) stream: usize,
    /// The due time of the event that closes it; 0 while that event was not accepted.
    pub(super) closes_ms: i64,
    /// The due time of its last event.
    pub(super) last_ms: i64,
    pub(super) results: u32,
    /// The arrival of its first result.
    pub(super) arrived_ms: i64,
    pub(super) provenance: Provenance,
}

impl Window {
    /// Whether a model answered.
    pub(super) fn is_by_model(&self) -> bool {
        matches!(self.provenance.outcome, CallOutcome::Answered | CallOutcome::Cached | CallOutcome::Joined)
    }

    /// The time from the moment when the window can close to its result.
    pub(super) fn after_ms(&self) -> i64 {
        self.arrived_ms - self.closes_ms
    }
}

/// The part of a result that is looked at.
#[derive(Deserialize)]
struct Insight {
    window_start_ms: i64,
    #[serde(default)]
    provenance: Provenance,
}

/// All windows, by stream and start.
#[derive(Default)]
pub(super) struct Results {
    windows: Mutex<BTreeMap<(usize, i64), Window>>,
    refused: Mutex<u64>,
}

impl Results {
    /// Notes that a window's last event was sent.
    pub(super) fn sent(&self, stream: usize, start_ms: i64, due_ms: i64) {
        self.lock().entry((stream, start_ms)).or_default().last_ms = due_ms;
    }

    /// Notes that the event was accepted that closes a window. From now on, the window must have a result.
    pub(super) fn closed(&self, stream: usize, start_ms: i64, due_ms: i64) {
        self.lock().entry((stream, start_ms)).or_default().closes_ms = due_ms;
    }

    /// Notes a request that the server did not accept.
    pub(super) fn refused(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    pub(super) fn refusals(&self) -> u64 {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an event that a page received.
    pub(super) fn arrived(&self, stream: usize, event: &str) {
        let now_ms = SystemClock.now_ms();
        if !event.lines().any(|line| line == "event: insight") {
            return;
        }
        let data = event.lines().find_map(|line| line.strip_prefix("data: "));
        let Some(insight) = data.and_then(|data| serde_json::from_str::<Insight>(data).ok()) else {
            return eprintln!("stream {stream}: an insight cannot be read: {event}");
        };
        let mut windows = self.lock();
        let window = windows.entry((stream, insight.window_start_ms)).or_default();
        window.results += 1;
        if window.results == 1 {
            (window.arrived_ms, window.provenance) = (now_ms, insight.provenance);
        }
    }

    /// Waits until all closed windows have a result, or until the time limit.
    pub(super) async fn complete(&self, patience: Duration) {
        let started = Instant::now();
        while self.lock().values().any(|window| window.closes_ms > 0 && window.results == 0)
            && started.elapsed() < patience
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// All windows that had to have a result.
    pub(super) fn windows(&self) -> Vec<Window> {
        let closed = |window: &Window| window.closes_ms > 0;
        let windows = self.lock();
        windows
            .iter()
            .filter(|(_, window)| closed(window))
            .map(|((stream, _), window)| Window { stream: *stream, ..window.clone() })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(usize, i64), Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
