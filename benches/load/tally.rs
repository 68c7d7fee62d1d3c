//! Counts events sent and results received, with their times.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tidemill::{Clock as _, SystemClock};

use crate::options::Options;

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pose,
    Chat,
    Transcript,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Pose, Self::Chat, Self::Transcript];

    pub(crate) fn app(self) -> App {
        if self == Self::Pose { App::Coach } else { App::Live }
    }
}

/// The application that a window belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum App {
    Coach,
    Live,
}

/// Counts of one kind of event.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    pub(crate) requests: u64,
    pub(crate) accepted: u64,
    /// Number of events answered with 429.
    pub(crate) busy: u64,
    /// Number of events with another answer or without an answer.
    pub(crate) other: u64,
    /// Times from a request's due time to its answer, in milliseconds.
    pub(crate) answered_ms: Vec<i64>,
}

/// The times and results of one window of an athlete or a stream.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    /// The due time of the window's last event that the server accepted.
    pub(crate) last_due_ms: i64,
    pub(crate) results: u32,
    /// The arrival time of the window's first result.
    pub(crate) arrived_ms: i64,
}

type Windows = BTreeMap<(App, usize, i64), Window>;

/// All counts.
pub(crate) struct Tally {
    options: Options,
    sent: [Mutex<Sent>; 3],
    windows: Mutex<Windows>,
}

/// A request's answer.
pub(crate) struct Answered<'a> {
    /// The HTTP status. `None` if there was no answer.
    pub(crate) status: Option<u16>,
    pub(crate) due_ms: i64,
    /// The times of the request's events.
    pub(crate) times_ms: &'a [i64],
}

impl Tally {
    pub(crate) fn new(options: &Options) -> Self {
        Self { options: options.clone(), sent: Default::default(), windows: Mutex::default() }
    }

    pub(crate) fn sent(&self, kind: Kind) -> Sent {
        lock(&self.sent[kind as usize]).clone()
    }

    /// Counts the answer to a request of an athlete or a stream.
    pub(crate) fn answered(&self, kind: Kind, who: usize, Answered { status, due_ms, times_ms }: Answered<'_>) {
        let mut sent = lock(&self.sent[kind as usize]);
        sent.requests += 1;
        sent.answered_ms.push(SystemClock.now_ms() - due_ms);
        let events = times_ms.len() as u64;
        match status {
            Some(202) => sent.accepted += events,
            Some(429) => sent.busy += events,
            _ => sent.other += events,
        }
        drop(sent);
        let (app, mut windows) = (kind.app(), self.lock_windows());
        if status == Some(202) && self.is_followed(app, who) {
            for time in times_ms {
                let window = windows.entry((app, who, time - time % self.size_ms(app))).or_default();
                window.last_due_ms = window.last_due_ms.max(due_ms);
            }
        }
    }

    /// Counts a result that a page received.
    pub(crate) fn arrived(&self, app: App, who: usize, start_ms: i64) {
        let now = SystemClock.now_ms();
        let mut windows = self.lock_windows();
        let window = windows.entry((app, who, start_ms)).or_default();
        window.results += 1;
        if window.results == 1 {
            window.arrived_ms = now;
        }
    }

    /// Waits until all windows have a result, or until the time limit.
    pub(crate) async fn complete(&self, patience: Duration) -> bool {
        let started = Instant::now();
        while self.missing() > 0 {
            if started.elapsed() > patience {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        true
    }

    /// Number of windows without a result.
    pub(crate) fn missing(&self) -> usize {
        self.lock_windows().values().filter(|window| window.results == 0).count()
    }

    /// Number of windows with more than one result.
    pub(crate) fn twice(&self) -> usize {
        self.lock_windows().values().filter(|window| window.results > 1).count()
    }

    /// The windows of an application, each with the time when it closes.
    pub(crate) fn windows(&self, app: App) -> Vec<(i64, Window)> {
        let closes = self.size_ms(app) + self.grace_ms(app);
        let windows = self.lock_windows();
        windows
            .iter()
            .filter(|((of, ..), _)| *of == app)
            .map(|((.., start), window)| (start + closes, *window))
            .collect()
    }

    pub(crate) fn size_ms(&self, app: App) -> i64 {
        let size = if app == App::Coach { self.options.coach_window() } else { self.options.live_window() };
        size.as_millis() as i64
    }

    pub(crate) fn grace_ms(&self, app: App) -> i64 {
        if app == App::Coach { self.options.coach_grace_ms } else { self.options.live_grace_ms }
    }

    fn is_followed(&self, app: App, who: usize) -> bool {
        app == App::Live || who < self.options.followed
    }

    fn lock_windows(&self) -> MutexGuard<'_, Windows> {
        lock(&self.windows)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until a time. Due times are fixed, so a late request does not delay the following requests.
pub(crate) async fn until(due_ms: i64) {
    let left = due_ms - SystemClock.now_ms();
    if left > 0 {
        tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await;
    }
}
