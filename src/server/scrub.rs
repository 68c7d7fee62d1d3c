//! Takes erased data off the disk. A log on disk keeps the bytes of deleted records until it merges their files.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tidemill::transport::{TopicPartition, TransportError};

use super::{engine::Engine, log::Log};

/// How long erased data may stay on the disk. The erasures of this time are scrubbed together, because every scrub
/// rewrites the whole log.
const WAIT: Duration = Duration::from_mins(10);

/// Scrubs the log some time after an erasure.
#[derive(Default)]
pub(super) struct Scrubber {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Default)]
struct Wanted {
    /// The time of the first erasure that is not scrubbed.
    since: Option<Instant>,
    closing: bool,
}

impl Scrubber {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a scrub after an erasure.
    pub(super) fn ask(&self) {
        self.wanted().since.get_or_insert_with(Instant::now);
        self.changed.notify_all();
    }

    pub(super) fn close(&self) {
        self.wanted().closing = true;
        self.changed.notify_all();
    }

    /// Scrubs the log after erasures, until the server closes. Blocks.
    pub(super) fn run(&self, engine: &Engine) {
        match has_erasures(engine) {
            Ok(true) => self.ask(),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "earlier erasures cannot be read"),
        }
        self.scrub_after(WAIT, engine.log());
    }

    fn scrub_after(&self, wait: Duration, log: &Log) {
        while self.is_due_after(wait) {
            match log.scrub() {
                Ok(()) => tracing::debug!("erased data was taken off the disk"),
                Err(error) => {
                    tracing::warn!(%error, "erased data cannot be taken off the disk, trying again");
                    self.ask();
                }
            }
        }
    }

    /// Waits until erasures have waited for long enough. Returns `false` when the server closes.
    fn is_due_after(&self, wait: Duration) -> bool {
        let mut wanted = self.wanted();
        loop {
            let left = wanted.since.map(|since| wait.saturating_sub(since.elapsed()));
            wanted = match left {
                _ if wanted.closing => return false,
                Some(Duration::ZERO) => {
                    wanted.since = None;
                    return true;
                }
                Some(left) => self.changed.wait_timeout(wanted, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(wanted).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// Whether there were erasures lately. The last run of the server may have ended before it scrubbed the log.
fn has_erasures(engine: &Engine) -> Result<bool, TransportError> {
    let log = engine.log();
    for app in engine.apps() {
        let [erasures, _] = app.app.erasure_topics();
        for partition in 0..log.partitions(erasures)? {
            let bounds = log.read(|reader| reader.watermarks(&TopicPartition::new(erasures, partition)))?;
            if bounds.low < bounds.high {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::settings::Settings;

    #[test]
    fn an_erasure_is_scrubbed_once_and_a_closing_server_does_not_wait() {
        let scrubber = Scrubber::default();
        scrubber.ask();
        scrubber.ask();
        assert!(scrubber.is_due_after(Duration::ZERO));
        assert!(scrubber.wanted().since.is_none(), "both were scrubbed together");
        let log = Log::open(&Settings::default()).expect("a log in memory");
        scrubber.ask();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| scrubber.scrub_after(Duration::from_hours(1), &log));
            scrubber.close();
            running.join().expect("ends");
        });
        assert!(scrubber.wanted().since.is_some(), "the next start scrubs it");
    }
}
