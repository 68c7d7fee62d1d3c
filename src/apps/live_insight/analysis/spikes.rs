//! Finds spikes: moments in which the chat rate is far above its baseline.

use tidemill_schemas::Spike;

use super::{
    chance::{Count, NO_CHANCE},
    numbers::round2,
    reading::{Reading, between},
    window::ChatWindow,
};

const BUCKET_MS: i64 = 5_000;
const BUCKET_SECONDS: f64 = BUCKET_MS as f64 / 1000.0;
/// A bucket with fewer messages is never a spike, even if chat was quiet before.
const LEAST_CHATS: f64 = 6.0;
/// A spike has at least this many times the usual messages.
const LEAST_RATIO: f64 = 2.0;
/// Empty buckets in a row are a gap if chance makes so many of them less often than this: the stream had not begun, had
/// ended, or its collector was away.
const GAP: f64 = 1e-3;
/// With fewer other buckets, a window alone does not show what is usual in it.
const LEAST_BUCKETS: usize = 6;

/// The chat of a window in buckets of five seconds; `None` in gaps.
pub(super) struct Buckets(Vec<Option<f64>>);

impl Buckets {
    pub(super) fn of(window: &ChatWindow, reading: &Reading<'_>) -> Self {
        let count = (window.end_ms - window.start_ms + BUCKET_MS - 1) / BUCKET_MS;
        let mut counts = vec![0.0; count.max(1) as usize];
        for chat in &reading.chats {
            let bucket = (chat.message.timestamp - window.start_ms) / BUCKET_MS;
            if let Some(count) = usize::try_from(bucket).ok().and_then(|bucket| counts.get_mut(bucket)) {
                *count += 1.0;
            }
        }
        Self(without_gaps(&counts))
    }

    /// What was heard outside of gaps.
    pub(super) fn heard(&self) -> Count {
        total(self.0.iter().copied())
    }

    /// What was heard in all buckets but this one and its neighbours.
    fn others(&self, at: usize) -> Option<Count> {
        let others = || self.0.iter().enumerate().filter(|(i, _)| i.abs_diff(at) > 1).filter_map(|(_, count)| *count);
        (others().count() >= LEAST_BUCKETS).then(|| total(others().map(Some)))
    }
}

fn total(counts: impl Iterator<Item = Option<f64>>) -> Count {
    let nothing = Count { count: 0.0, seconds: 0.0 };
    counts
        .flatten()
        .fold(nothing, |all, count| Count { count: all.count + count, seconds: all.seconds + BUCKET_SECONDS })
}

fn without_gaps(counts: &[f64]) -> Vec<Option<f64>> {
    let heard: Vec<_> = counts.iter().filter(|count| **count > 0.0).collect();
    let mean = heard.iter().copied().sum::<f64>() / heard.len().max(1) as f64;
    let mut found: Vec<_> = counts.iter().copied().map(Some).collect();
    let mut from = 0;
    for run in counts.chunk_by(|one, next| (*one == 0.0) == (*next == 0.0)) {
        if run[0] == 0.0 && (-mean * run.len() as f64).exp() < GAP {
            found[from..from + run.len()].fill(None);
        }
        from += run.len();
    }
    found
}

/// The usual chat rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Baseline {
    pub(super) per_second: f64,
}

impl Baseline {
    /// Takes the lower of two rates: this window's rate between its peaks, and the usual rate of earlier windows. So a
    /// spike that fills the whole window is found, too.
    pub(super) fn of(window: &ChatWindow, buckets: &Buckets) -> Self {
        let mut heard: Vec<_> = buckets.0.iter().flatten().copied().collect();
        heard.sort_unstable_by(f64::total_cmp);
        let inside = heard.get(heard.len() / 2).copied().unwrap_or(0.0) / BUCKET_SECONDS;
        let usual = window.trend.usual_rate();
        Self { per_second: usual.map_or(inside, |usual| inside.min(usual)) }
    }
}

/// The spikes of a window, in order of time: buckets with more messages than chance gives, both beside the rest of the
/// window and beside the windows before it. What is lower counts as usual.
pub(super) fn spikes(window: &ChatWindow, reading: &Reading<'_>, buckets: &Buckets) -> Vec<Spike> {
    let mut ranges: Vec<(i64, i64, f64)> = Vec::new();
    for (i, count) in buckets.0.iter().enumerate() {
        let Some(count) = count else { continue };
        let known = [window.trend.usual(), buckets.others(i)].into_iter().flatten();
        let Some(usual) = known.min_by(|a, b| a.per_second().total_cmp(&b.per_second())) else { continue };
        let bucket = Count { count: *count, seconds: BUCKET_SECONDS };
        let least = LEAST_CHATS.max(LEAST_RATIO * usual.per_second() * BUCKET_SECONDS);
        if *count < least || bucket.more_than(usual) > NO_CHANCE {
            continue;
        }
        let start = window.start_ms + i as i64 * BUCKET_MS;
        let end = (start + BUCKET_MS).min(window.end_ms);
        match ranges.last_mut() {
            // One calm bucket does not end a spike.
            Some((_, last_end, _)) if start - *last_end <= BUCKET_MS => *last_end = end,
            _ => ranges.push((start, end, usual.per_second().max(0.1))),
        }
    }
    let spike = |(start_ms, end_ms, usual): (i64, i64, f64)| {
        let chats = between(&reading.chats, start_ms, end_ms);
        let rate = chats.len() as f64 * 1000.0 / (end_ms - start_ms) as f64;
        Spike {
            start_ms,
            end_ms,
            chats: chats.len() as u64,
            ratio: round2(rate / usual),
            mood: round2(Reading::mean_mood(chats.iter())),
        }
    };
    ranges.into_iter().map(spike).collect()
}
