//! The shared parts of the benchmarks: inputs, runs through the production code, and a table of CPU time.

#![allow(dead_code, reason = "each benchmark uses its part")]

pub(crate) mod input;
pub(crate) mod pipeline;
pub(crate) mod report;

use std::time::Duration;

use criterion::Criterion;

/// The result of a step of a benchmark. Every error ends the benchmark.
pub(crate) type BenchResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The settings of criterion. There are few samples, because one run takes almost a second and the machine may be shared.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
        .configure_from_args()
}

/// Whether the benchmarks run only once as a test, as with `cargo test --benches`.
pub(crate) fn is_test() -> bool {
    std::env::args().any(|arg| arg == "--test") || !std::env::args().any(|arg| arg == "--bench")
}

/// The number of records, or a hundredth of it in a test.
pub(crate) fn load(records: usize) -> usize {
    if is_test() { records / 100 } else { records }
}
