//! Memory for bodies that is shared out in permits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit. A semaphore cannot count as many permits as there may be bytes.
const UNIT: usize = 1024;

/// An amount of memory, of which requests reserve parts.
#[derive(Debug)]
pub(super) struct Budget {
    units: usize,
    free: Arc<Semaphore>,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let units = bytes.div_ceil(UNIT).max(1);
        Self { units, free: Arc::new(Semaphore::new(units)) }
    }

    /// Reserves memory until the permit is dropped; `None` if too little is free. A part that is larger than the whole
    /// budget passes alone.
    pub(super) fn reserve(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(UNIT).clamp(1, self.units) as u32;
        self.free.clone().try_acquire_many_owned(units).ok()
    }
}
