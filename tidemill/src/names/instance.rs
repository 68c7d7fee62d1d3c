//! Names of instances.

use std::hash::{BuildHasher as _, RandomState};

use crate::clock::{Clock as _, SystemClock};

/// A name for an instance that was given none.
pub(crate) fn made_up_id() -> String {
    format!("tidemill-{}", unique())
}

/// Unique among the instances of an application: in containers, process ids repeat and start times may.
pub(crate) fn unique() -> String {
    format!("{:016x}", RandomState::new().hash_one((std::process::id(), SystemClock.now_ms())))
}
