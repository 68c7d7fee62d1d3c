//! Kills executors of paid calls, and holds the bill against what was answered.
//!
//! The application is this test binary, started again: windows of chat, each asked about once, exactly once. It asks a
//! stand-in for a model provider, which lives in the test's own process, survives, and keeps the bill. `make
//! calls-kill` kills more often, and prints what was paid twice.
#![cfg(all(feature = "rocksdb", feature = "llm"))]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it tells its figures, and children speak to their parent"
)]

mod checks;
mod child;
mod embedded;
mod figures;
mod journal;
#[cfg(feature = "kafka")]
mod kafka;
mod run;
mod site;
mod spent;
mod time;
mod watch;
mod work;

use std::{
    error::Error,
    sync::{Mutex, MutexGuard, PoisonError},
};

type Tested<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// One run at a time: several would only take the machine from each other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often processes are killed, unless the environment says otherwise.
fn kills(default: u32) -> Tested<u32> {
    Ok(std::env::var("TIDEMILL_KILLS").map_or(Ok(default), |kills| kills.parse())?)
}

/// Decides when processes are killed, and which faults the server has.
fn seed() -> Tested<u64> {
    let seed = std::env::var("CALL_KILL_SEED").map_or(Ok(1), |seed| seed.parse())?;
    println!("CALL_KILL_SEED={seed}");
    Ok(seed)
}

/// The process that is killed.
#[test]
#[ignore = "started by the other tests, as a process of its own"]
fn child() -> Tested {
    child::run()
}
