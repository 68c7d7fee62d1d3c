//! Ends a consumer's poll from another thread.

use std::{fmt, sync::Arc};

/// Ends the current poll of a consumer, or its next poll if none is waiting. Any thread may use it. Clones wake the
/// same consumer. In Kafka this is `Consumer.wakeup`, which makes the poll throw.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
/// use tidemill::transport::Waker;
///
/// let woken = Arc::new(AtomicBool::new(false));
/// let seen = woken.clone();
/// let waker = Waker::new(move || seen.store(true, Ordering::Relaxed));
/// waker.clone().wake();
/// assert!(woken.load(Ordering::Relaxed));
/// ```
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// A waker that calls `wake`. See the example of [`Waker`].
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Ends the current or next poll. See the example of [`Waker`].
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}
