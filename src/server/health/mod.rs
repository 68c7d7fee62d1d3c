//! Whether the applications run and are ready, and their metrics.

mod calls;
mod gauges;
mod report;

pub(super) use report::{Health, health, metrics, ready, time};
