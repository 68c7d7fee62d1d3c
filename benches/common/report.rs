//! Collects wall time and CPU time of each run and prints a table at the end.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use cpu_time::ProcessTime;

/// The runs of every benchmark, by name.
///
/// CPU time is the time of the whole process, including `RocksDB`'s flushes and compactions. Unlike wall time, it does
/// not depend on other processes of the machine.
#[derive(Default)]
pub(crate) struct Report {
    rows: BTreeMap<String, Vec<Run>>,
}

struct Run {
    units: u64,
    wall: Duration,
    cpu: Duration,
}

impl Report {
    /// Measures a run with `units` units of work. Returns its wall time and result.
    pub(crate) fn measure<R>(&mut self, name: &str, units: u64, run: impl FnOnce() -> R) -> (Duration, R) {
        let (cpu, wall) = (ProcessTime::now(), Instant::now());
        let done = run();
        let run = Run { units, wall: wall.elapsed(), cpu: cpu.elapsed() };
        let wall = run.wall;
        self.rows.entry(name.to_owned()).or_default().push(run);
        (wall, done)
    }

    /// The median CPU time of a unit, in nanoseconds.
    pub(crate) fn cpu_ns(&self, name: &str) -> Option<f64> {
        self.rows.get(name).map(|runs| median(runs, |run| run.cpu))
    }

    /// Prints medians on standard error. The records per core and second are one second divided by a record's CPU time.
    pub(crate) fn print(&self) {
        eprintln!("{:<44} {:>4} {:>11} {:>12} {:>12}", "median of", "runs", "records/s", "per core/s", "CPU us/rec");
        for (name, runs) in &self.rows {
            let (wall, cpu) = (median(runs, |run| run.wall), median(runs, |run| run.cpu));
            let (rate, core) = (1e9 / wall, 1e9 / cpu);
            eprintln!("{name:<44} {:>4} {rate:>11.0} {core:>12.0} {:>12.3}", runs.len(), cpu / 1e3);
        }
    }
}

fn median(runs: &[Run], time: impl Fn(&Run) -> Duration) -> f64 {
    let mut each: Vec<_> = runs.iter().map(|run| time(run).as_nanos() as f64 / run.units as f64).collect();
    each.sort_by(f64::total_cmp);
    each[each.len() / 2]
}
