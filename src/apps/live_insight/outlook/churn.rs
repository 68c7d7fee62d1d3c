//! Who stopped chatting.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use tidemill_schemas::{Chatters, Insight};

use super::pool::{LATELY, Pool, Said};
use crate::apps::live_insight::{analysis::author_hash, frames::union};

/// The most authors that are named.
const NAMED: usize = 5;
/// With fewer authors, a share says nothing.
const LEAST_AUTHORS: usize = 5;
/// Weight of the newest share in the smoothing.
const NEWEST: f64 = 0.2;
/// How far off a share is before the stream has shown it, and how many forecasts that stands for.
const SPREAD: f64 = 0.1;
const SPREAD_WEIGHT: f64 = 6.0;

/// The authors who wrote a while ago and not since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Churn {
    /// The share of the earlier authors who did not write since, 0 to 1. Many viewers write now and then, so a share
    /// says something only beside the usual one.
    pub share: f64,
    /// The mean share at earlier times of the stream.
    pub usual_share: f64,
    /// The share of the authors of now who are expected not to write until the prediction's end.
    pub expected_share: f64,
    /// About how many authors stopped.
    pub stopped: u64,
    /// The most active of those who stopped, the most active first.
    pub users: Vec<Stopped>,
}

/// An author who stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The author's id.
    pub user_id: String,
    /// The author's name.
    pub user_name: String,
    /// Messages in the earlier time, as far as the windows list them.
    pub chats: u64,
}

/// The shares of authors who stopped, at each window of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shares {
    /// For each window, the share of the authors of `horizon` windows who did not write in the last `horizon` windows.
    pub(super) seen: Vec<Option<f64>>,
    /// For each window, the mean of the earlier shares.
    pub(super) usual: Vec<f64>,
    /// For each window, what is expected `horizon` windows later.
    pub(super) expected: Vec<f64>,
}

impl Shares {
    pub(super) fn of(insights: &[&Insight], horizon: usize) -> Self {
        let at =
            |at: usize| share(before(insights, at, horizon)?, since(insights, at, horizon)?).map(|(share, _)| share);
        let seen: Vec<Option<f64>> = (0..insights.len()).map(at).collect();
        let (mut usual, mut expected): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        let (mut sum, mut count, mut smooth) = (0.0, 0.0, None);
        let (mut pool, mut squares, mut errors) = (Pool::default(), SPREAD * SPREAD * SPREAD_WEIGHT, SPREAD_WEIGHT);
        for (at, share) in seen.iter().enumerate() {
            usual.push(if count > 0.0 { sum / count } else { share.unwrap_or(0.5) });
            let Some(share) = *share else {
                pool.skip();
                expected.push(expected.last().copied().unwrap_or(0.5));
                continue;
            };
            sum += share;
            count += 1.0;
            let smoothed = smooth.map_or(share, |smooth| smooth + NEWEST.max(1.0 / count) * (share - smooth));
            smooth = Some(smoothed);
            if let Some(before) = at.checked_sub(horizon).filter(|before| seen[*before].is_some()) {
                pool.learn(before, share);
                squares += (expected[before] - share).powi(2);
                errors += 1.0;
            }
            let said = Said { lately: lately(&seen, at).unwrap_or(share), last: share, smooth: smoothed };
            expected.push(pool.forecast(said, squares / errors));
        }
        Self { seen, usual, expected }
    }

    /// The churn at a window; `None` if the stream is too short or too quiet, or if its windows do not tell who wrote.
    pub(super) fn churn(&self, insights: &[&Insight], at: usize, horizon: usize) -> Option<Churn> {
        let (before, since) = (before(insights, at, horizon)?, since(insights, at, horizon)?);
        let (share, stopped) = share(before, since)?;
        let two = |share: f64| (share * 100.0).round() / 100.0;
        Some(Churn {
            share: two(share),
            usual_share: two(self.usual[at]),
            expected_share: two(self.expected[at]),
            stopped,
            users: who(before, since),
        })
    }
}

/// The mean of the last shares.
pub(super) fn lately(seen: &[Option<f64>], at: usize) -> Option<f64> {
    let shares: Vec<f64> = seen[(at + 1).saturating_sub(LATELY)..=at].iter().flatten().copied().collect();
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

/// The last `horizon` windows.
fn since<'a, 'b>(insights: &'b [&'a Insight], at: usize, horizon: usize) -> Option<&'b [&'a Insight]> {
    insights.get((at + 1).checked_sub(horizon)?..=at)
}

/// The `horizon` windows before those.
fn before<'a, 'b>(insights: &'b [&'a Insight], at: usize, horizon: usize) -> Option<&'b [&'a Insight]> {
    insights.get((at + 1).checked_sub(2 * horizon)?..(at + 1).checked_sub(horizon)?)
}

fn chatters(windows: &[&Insight]) -> Option<Chatters> {
    let samples = windows.iter().map(|window| window.remainder.as_ref().map(|remainder| &remainder.chatters));
    samples
        .collect::<Option<Vec<_>>>()
        .map(|samples| samples.into_iter().fold(Chatters::default(), |a, b| union(&a, b)))
}

/// The share of authors who stopped, and about how many they are.
fn share(before: &[&Insight], since: &[&Insight]) -> Option<(f64, u64)> {
    let (before, since) = (chatters(before)?, chatters(since)?);
    let below = before.below.min(since.below);
    let in_both = |hash: &&u32| u64::from(**hash) < below;
    let there: HashSet<u32> = since.hashes.iter().filter(in_both).copied().collect();
    let authors: Vec<&u32> = before.hashes.iter().filter(in_both).collect();
    let stopped = authors.iter().filter(|hash| !there.contains(hash)).count() as f64;
    let all = stopped * Chatters::ALL as f64 / below.max(1) as f64;
    (authors.len() >= LEAST_AUTHORS).then(|| (stopped / authors.len() as f64, all.round() as u64))
}

/// The most active authors of earlier windows who certainly did not write since.
fn who(before: &[&Insight], since: &[&Insight]) -> Vec<Stopped> {
    let Some(there) = chatters(since) else { return Vec::new() };
    let is_gone = |id: &str| {
        let hash = author_hash(id);
        u64::from(hash) < there.below && there.hashes.binary_search(&hash).is_err()
    };
    let mut users: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
    for window in before {
        let more = window.remainder.iter().flat_map(|remainder| &remainder.active_users);
        for user in window.active_users.iter().chain(more) {
            let known = users.entry(&user.user_id).or_default();
            *known = (&user.user_name, known.1 + user.chats);
        }
    }
    let gone = users.into_iter().filter(|(id, _)| is_gone(id));
    let mut gone: Vec<Stopped> =
        gone.map(|(id, (name, chats))| Stopped { user_id: id.to_owned(), user_name: name.to_owned(), chats }).collect();
    gone.sort_by(|a, b| b.chats.cmp(&a.chats).then_with(|| a.user_id.cmp(&b.user_id)));
    gone.truncate(NAMED);
    gone
}
