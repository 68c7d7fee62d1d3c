//! What the benchmarks share: inputs, runs through the production code, and a table of CPU time.

#![allow(dead_code, reason = "each benchmark uses its part")]

pub(crate) mod input;
pub(crate) mod pipeline;
pub(crate) mod report;

use std::time::Duration;

use criterion::Criterion;

/// What may go wrong in a benchmark ends it.
pub(crate) type BenchResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Few samples: one run takes most of a second, and the machine may be shared.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
        .configure_from_args()
}

/// Whether the benchmarks are only to be tried once, as `cargo test --benches` does.
pub(crate) fn is_test() -> bool {
    std::env::args().any(|arg| arg == "--test") || !std::env::args().any(|arg| arg == "--bench")
}

/// A full load, or a small one for `--test`.
pub(crate) fn load(records: usize) -> usize {
    if is_test() { records / 100 } else { records }
}
