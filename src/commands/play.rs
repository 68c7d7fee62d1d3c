//! Plays events at a given speed: passes each event on when it is due.

use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::recording::Event;

/// The shortest pause between two sends.
const TICK: Duration = Duration::from_millis(100);

/// The receiver of played events.
pub(super) trait Sink {
    /// Whether this event may be sent together with the waiting events.
    fn fits(&self, event: &Event) -> bool;
    /// Takes an event, which waits for the next flush.
    fn push(&mut self, event: &Event);
    /// Sends the waiting events and returns their number.
    async fn flush(&mut self) -> Result<usize>;
}

/// Plays events, which are in the order of time, from index `first` on. With `speed` 0, the sink sets the pace.
pub(super) async fn play(events: &[Event], first: usize, speed: f64, sink: &mut impl Sink) -> Result<()> {
    let Some(start_ms) = events.get(first).map(|event| event.timestamp) else { return Ok(()) };
    let bar = ProgressBar::new(events.len() as u64).with_style(style()).with_position(first as u64);
    let started = Instant::now();
    for event in &events[first..] {
        if speed > 0.0 {
            let due = Duration::from_secs_f64((event.timestamp - start_ms) as f64 / 1000.0 / speed);
            if due > started.elapsed() {
                bar.inc(sink.flush().await? as u64);
                tokio::time::sleep(due.saturating_sub(started.elapsed()).max(TICK)).await;
            }
        }
        if !sink.fits(event) {
            bar.inc(sink.flush().await? as u64);
        }
        sink.push(event);
    }
    bar.inc(sink.flush().await? as u64);
    bar.finish();
    Ok(())
}

/// How long events take when they are played, in milliseconds of the wall clock.
pub(super) fn playing_ms(events: &[Event], speed: f64) -> i64 {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return 0 };
    if speed > 0.0 { ((last.timestamp - first.timestamp) as f64 / speed) as i64 } else { 0 }
}

fn style() -> ProgressStyle {
    let template = "{elapsed_precise} {wide_bar} {human_pos}/{human_len} events, {per_sec}, {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
