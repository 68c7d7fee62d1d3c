//! Spikes, clips and alerts of several windows.

use tidemill_schemas::{Alert, ClipCandidate, Insight, Spike};

use super::people::{hundredths, mean};

/// One calm interval of this length does not end a spike.
const CALM_MS: i64 = 5_000;
/// A frame of several windows has at most this many clips: those with the best scores.
const CLIPS: usize = 50;
/// A frame of several windows has at most this many alerts: the most severe.
const ALERTS: usize = 100;

/// The moments of some windows, each with the start of its window, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Moments {
    spikes: Vec<(i64, Spike)>,
    clips: Vec<(i64, ClipCandidate)>,
    alerts: Vec<(i64, Alert)>,
}

impl Moments {
    pub(super) fn of(insight: &Insight) -> Self {
        let at = insight.window_start_ms;
        Self {
            spikes: insight.spikes.iter().map(|spike| (at, spike.clone())).collect(),
            clips: insight.clips.iter().map(|clip| (at, clip.clone())).collect(),
            alerts: insight.alerts.iter().map(|alert| (at, alert.clone())).collect(),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        extend(&mut self.spikes, &other.spikes);
        extend(&mut self.clips, &other.clips);
        extend(&mut self.alerts, &other.alerts);
    }

    /// The spikes in order. A spike that a window's end divides is one.
    pub(super) fn spikes(&self) -> Vec<Spike> {
        let mut spikes: Vec<(i64, Spike)> = Vec::new();
        for (window, spike) in &self.spikes {
            match spikes.last_mut() {
                Some((before, last)) if before != window && spike.start_ms - last.end_ms <= CALM_MS => {
                    *last = together(last, spike);
                    *before = *window;
                }
                _ => spikes.push((*window, spike.clone())),
            }
        }
        spikes.into_iter().map(|(_, spike)| spike).collect()
    }

    /// The clips in order, and how many there are with those that are not shown. Of two clips of different windows that
    /// show the same moment, the better one stays.
    pub(super) fn clips(&self) -> (Vec<ClipCandidate>, u64) {
        let beside =
            |at: usize| (at.saturating_sub(8)..(at + 9).min(self.clips.len())).filter(move |other| *other != at);
        let is_better = |at: usize, other: usize| {
            let ((window, clip), (theirs, better)) = (&self.clips[at], &self.clips[other]);
            let shared = clip.end_ms.min(better.end_ms) - clip.start_ms.max(better.start_ms);
            let beats = better.score > clip.score || better.score == clip.score && other < at;
            window != theirs && beats && 2 * shared > clip.end_ms - clip.start_ms
        };
        let stays = |at: &usize| !beside(*at).any(|other| is_better(*at, other));
        let mut clips: Vec<ClipCandidate> =
            (0..self.clips.len()).filter(stays).map(|at| self.clips[at].1.clone()).collect();
        let all = clips.len() as u64;
        if clips.len() > CLIPS {
            clips.sort_by_key(|clip| std::cmp::Reverse(clip.score));
            clips.truncate(CLIPS);
            clips.sort_by_key(|clip| clip.start_ms);
        }
        (clips, all)
    }

    /// The alerts, the most severe first, and how many there are with those that are not shown. Of alerts about one
    /// event, the last one stays: it knows how long the event lasts.
    pub(super) fn alerts(&self) -> (Vec<Alert>, u64) {
        let mut alerts: Vec<(i64, &Alert)> = Vec::new();
        for (window, alert) in &self.alerts {
            let same = |(before, earlier): &(i64, &Alert)| {
                before != window && earlier.kind == alert.kind && earlier.at_ms == alert.at_ms
            };
            alerts.retain(|earlier| !same(earlier));
            alerts.push((*window, alert));
        }
        alerts.sort_by(|a, b| b.1.severity.total_cmp(&a.1.severity));
        let all = alerts.len() as u64;
        alerts.truncate(ALERTS);
        (alerts.into_iter().map(|(_, alert)| alert.clone()).collect(), all)
    }
}

fn extend<T: Clone>(own: &mut Vec<(i64, T)>, theirs: &[(i64, T)]) {
    own.extend_from_slice(theirs);
    own.sort_by_key(|(window, _)| *window);
}

fn together(a: &Spike, b: &Spike) -> Spike {
    let chats = a.chats + b.chats;
    let weighed = |pick: fn(&Spike) -> f64| {
        let sum = hundredths(pick(a)) * a.chats as i64 + hundredths(pick(b)) * b.chats as i64;
        mean(sum, chats)
    };
    Spike {
        start_ms: a.start_ms,
        end_ms: b.end_ms.max(a.end_ms),
        chats,
        ratio: weighed(|spike| spike.ratio),
        mood: weighed(|spike| spike.mood),
    }
}
