//! Finds spikes: moments in which the chat rate is far above its baseline.

use tidemill_schemas::Spike;

use super::numbers::round2;
use super::reading::{Reading, between};
use super::window::ChatWindow;

const BUCKET_MS: i64 = 5_000;
/// A bucket with fewer messages is never a spike, even if chat was quiet before.
const LEAST_CHATS: f64 = 6.0;

/// The usual chat rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Baseline {
    pub(super) per_second: f64,
}

impl Baseline {
    /// Takes the lower of two rates: this window's rate between its peaks, and the usual rate of earlier windows. So a
    /// spike that fills the whole window is found, too.
    pub(super) fn of(window: &ChatWindow, reading: &Reading<'_>) -> Self {
        let mut buckets = buckets(window, reading);
        buckets.sort_unstable();
        let median = buckets.get(buckets.len() / 2).copied().unwrap_or(0);
        let inside = f64::from(median) * 1000.0 / BUCKET_MS as f64;
        let usual = window.trend.usual_rate();
        Self { per_second: usual.map_or(inside, |usual| inside.min(usual)) }
    }
}

/// The spikes of a window, in order of time.
pub(super) fn spikes(window: &ChatWindow, reading: &Reading<'_>, baseline: Baseline) -> Vec<Spike> {
    let expected = (baseline.per_second * BUCKET_MS as f64 / 1000.0).max(0.5);
    // Four standard deviations above the mean of a Poisson process, and at least twice the mean.
    let threshold = LEAST_CHATS.max(2.0 * expected).max(expected + 4.0 * expected.sqrt());
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for (i, count) in buckets(window, reading).into_iter().enumerate() {
        if f64::from(count) < threshold {
            continue;
        }
        let start = window.start_ms + i as i64 * BUCKET_MS;
        let end = (start + BUCKET_MS).min(window.end_ms);
        match ranges.last_mut() {
            // One calm bucket does not end a spike.
            Some((_, last_end)) if start - *last_end <= BUCKET_MS => *last_end = end,
            _ => ranges.push((start, end)),
        }
    }
    ranges
        .into_iter()
        .map(|(start_ms, end_ms)| {
            let chats = between(&reading.chats, start_ms, end_ms);
            let rate = chats.len() as f64 * 1000.0 / (end_ms - start_ms) as f64;
            Spike {
                start_ms,
                end_ms,
                chats: chats.len() as u64,
                ratio: round2(rate / (expected * 1000.0 / BUCKET_MS as f64)),
                mood: round2(Reading::mean_mood(chats.iter())),
            }
        })
        .collect()
}

fn buckets(window: &ChatWindow, reading: &Reading<'_>) -> Vec<u32> {
    let count = (window.end_ms - window.start_ms + BUCKET_MS - 1) / BUCKET_MS;
    let mut buckets = vec![0; count.max(1) as usize];
    for chat in &reading.chats {
        let bucket = (chat.message.timestamp - window.start_ms) / BUCKET_MS;
        if let Some(count) = usize::try_from(bucket).ok().and_then(|bucket| buckets.get_mut(bucket)) {
            *count += 1;
        }
    }
    buckets
}
