//! Names of instances.

use std::hash::{BuildHasher as _, RandomState};

use crate::clock::{Clock as _, SystemClock};

/// A generated name for an instance without a client id.
pub(crate) fn made_up_id() -> String {
    format!("tidemill-{}", unique())
}

/// An id that is unique among the instances of an application. Process ids repeat in containers, and start times may be
/// equal.
pub(crate) fn unique() -> String {
    format!("{:016x}", RandomState::new().hash_one((std::process::id(), SystemClock.now_ms())))
}
