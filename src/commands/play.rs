//! Plays events at a speed: hands them on when they are due.

use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use super::recording::Event;

/// How often what is due is sent.
const TICK: Duration = Duration::from_millis(100);

/// Where events go.
pub(super) trait Sink {
    /// Whether this event, which follows those that wait, may be sent together with them.
    fn fits(&self, event: &Event) -> bool;
    /// Takes an event; it waits for the next flush.
    fn push(&mut self, event: &Event);
    /// Sends what waits, and says how many events it was.
    async fn flush(&mut self) -> Result<usize>;
}

/// Plays events, which are in the order of time, from the `first` on. `speed` is 0 for as fast as the sink takes them.
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
