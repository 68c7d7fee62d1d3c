//! Avro with a real schema registry: Apicurio's, which speaks Confluent's protocol and keeps its schemas in memory.
//! `make schema-registry` fetches it; where it is not, these tests say so and pass.

mod applications;
mod codecs;
mod registry;
mod starts;
mod switch;
mod versions;

use std::{
    thread,
    time::{Duration, Instant},
};

/// The most that a test waits for what must happen; a registry starts slowly on a machine that is busy.
const WAIT: Duration = Duration::from_secs(180);

/// Waits until it is there.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < WAIT, "{what}: not within {WAIT:?}");
        thread::sleep(Duration::from_millis(20));
    }
}
