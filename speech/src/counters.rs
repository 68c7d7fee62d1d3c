//! What a transcriber counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a transcriber has done so far. Times are milliseconds of audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Audio that came in.
    pub heard_ms: u64,
    /// Audio that the gate kept back, because nobody speaks in it.
    pub saved_ms: u64,
    /// Audio that was sent to the recogniser, with what was sent twice.
    pub sent_ms: u64,
    /// Audio that came in twice and was left out.
    pub repeated_ms: u64,
    /// Audio that the recogniser could not use.
    pub unusable_ms: u64,
    /// Sessions that were started.
    pub sessions: u64,
    /// Sessions that were renewed because they got as long as they may.
    pub renewals: u64,
    /// Sessions that broke, and whose audio was sent again.
    pub breaks: u64,
    /// Seams whose words were aligned.
    pub seams: u64,
    /// Final words.
    pub words: u64,
    /// Final segments.
    pub segments: u64,
}

macro_rules! counters {
    ($($name:ident),*) => {
        /// The counters behind [`Counts`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Counter),* }

        impl Counters {
            pub(crate) fn counts(&self) -> Counts {
                Counts { $($name: self.$name.get()),* }
            }
        }
    };
}
counters!(heard_ms, saved_ms, sent_ms, repeated_ms, unusable_ms, sessions, renewals, breaks, seams, words, segments);

/// A number of [`Counts`].
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: impl TryInto<u64>) {
        self.0.fetch_add(more.try_into().unwrap_or(0), Relaxed);
    }

    pub(crate) fn take_back(&self, less: impl TryInto<u64>) {
        self.0.fetch_sub(less.try_into().unwrap_or(0), Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
