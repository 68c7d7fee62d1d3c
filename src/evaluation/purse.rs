//! The money of an evaluation. It is counted before it is spent.

use std::sync::{Mutex, PoisonError};

/// What may still be spent, in millionths of the currency.
pub(super) struct Purse(Mutex<u64>);

impl Purse {
    pub(super) fn new(micros: u64) -> Self {
        Self(Mutex::new(micros))
    }

    /// Takes money out, if there is so much.
    pub(super) fn take(&self, micros: u64) -> bool {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = left.checked_sub(micros);
        *left = rest.unwrap_or(*left);
        rest.is_some()
    }

    /// Puts back what was not spent.
    pub(super) fn put_back(&self, micros: u64) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_add(micros);
    }
}
