//! The predictions of a stream, one after each window.

use serde::{Deserialize, Serialize};
use tidemill_schemas::Insight;

use super::{
    advice::{SURE, Situation, advice},
    churn::Shares,
    claim::Outcome,
    course::{Step, in_order, per_second, rate, steps},
    forecast::{Belief, beliefs, seen},
    prediction::{Engagement, Momentum, Prediction, Promotion},
    sureness::{ASKED, Lessons, Sureness, Weighed},
};
use crate::apps::live_insight::history::sessions;

/// How far predictions reach, unless told otherwise.
pub const HORIZON_MS: i64 = 5 * 60_000;
/// A prediction needs so many windows.
const LEAST_WINDOWS: usize = 3;
/// A change of this share in a minute is momentum.
const MOMENTUM: f64 = 0.02;

/// A prediction, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The prediction.
    pub prediction: Prediction,
    /// Whether its claim came true.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The newest prediction of a stream, and how its earlier predictions turned out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// The newest prediction.
    pub prediction: Prediction,
    /// The earlier predictions of this stream whose time is over.
    pub judged: u64,
    /// How many of them came true.
    pub came_true: u64,
    /// The last earlier predictions, the newest first, each with its outcome.
    pub earlier: Vec<Told>,
}

/// The outlook of a stream, by its insights in any order; `None` before it has three windows. After a pause of half an
/// hour, a stream with the same id is another stream: how its predictions turned out teaches how sure later ones are. The
/// last `earlier` predictions of the newest stream are listed.
pub fn outlook<'a>(insights: impl IntoIterator<Item = &'a Insight>, earlier: usize) -> Option<Outlook> {
    let mut streams = sessions(in_order(insights));
    let newest = streams.pop()?;
    let lessons = streams.iter().fold(Lessons::default(), |lessons, stream| after(lessons, stream).1);
    let mut told: Vec<Told> = after(lessons, &newest).0.into_iter().map(|made| made.told).collect();
    let prediction = told.pop()?.prediction;
    let judged = told.iter().filter(|told| told.outcome != Outcome::Open).count() as u64;
    let came_true = told.iter().filter(|told| matches!(told.outcome, Outcome::CameTrue { .. })).count() as u64;
    Some(Outlook { prediction, judged, came_true, earlier: told.into_iter().rev().take(earlier).collect() })
}

/// The predictions after each window of one stream, oldest first, if nothing is known of earlier streams. Each knows only
/// the windows before it.
pub fn told(insights: &[&Insight]) -> Vec<Told> {
    after(Lessons::default(), insights).0.into_iter().map(|made| made.told).collect()
}

/// A prediction with what its score needs.
pub(super) struct Made {
    /// How many windows it knows.
    pub(super) windows: usize,
    pub(super) told: Told,
    pub(super) weighed: Weighed,
    /// The median rate so far.
    pub(super) usual: f64,
    /// How probable it is that the chat will be below the shares of the usual rate that are [`ASKED`].
    pub(super) asked: [f64; ASKED.len()],
}

/// The predictions of one stream after earlier ones of the same streamer, and the lessons for the next.
pub(super) fn after(lessons: Lessons, insights: &[&Insight]) -> (Vec<Made>, Lessons) {
    let Some(horizon) = horizon(insights) else { return (Vec::new(), lessons) };
    let steps = steps(insights);
    let beliefs = beliefs(&steps, horizon);
    let shares = Shares::of(insights, horizon);
    let mut sureness = Sureness::new(lessons, horizon);
    let mut sorted: Vec<f64> = Vec::new();
    let (mut best, mut best_now) = (0.0_f64, (f64::MIN, 0));
    let (mut all, mut judged): (Vec<Made>, usize) = (Vec::new(), 0);
    for at in 0..steps.len() {
        if let Some(calm) = steps[at].calm {
            sorted.insert(sorted.partition_point(|other| *other < calm), calm);
        }
        let recent = &steps[(at + 1).saturating_sub(horizon)..=at];
        if recent.len() == horizon {
            best = best.max(seen(recent).map_or(0.0, f64::exp));
            sureness.saw(rate(recent));
        }
        let (belief, at_ms) = (&beliefs[at], steps[at].end_ms);
        while let Some(Made { told, weighed, .. }) =
            all.get(judged).filter(|made| made.told.prediction.until_ms <= at_ms)
        {
            let is_true = matches!(told.outcome, Outcome::CameTrue { .. });
            if told.outcome != Outcome::Open {
                sureness.judge(told.prediction.advice.action, weighed.pooled, is_true);
            }
            judged += 1;
        }
        let usual = sorted.get(sorted.len() / 2).map_or(0.0, |calm| per_second(*calm, steps[at].seconds));
        let asked = sureness.ask(belief, usual);
        let churn = shares.churn(insights, at, horizon);
        let until_ms = at_ms + horizon as i64 * length_ms(insights[at]);
        let (began_ms, churn) = (insights[0].window_start_ms, churn.as_ref());
        let on = Situation { belief, sureness: &sureness, usual, best, recent, churn, began_ms, at_ms, until_ms };
        // Liveliness and mood both make a good time.
        let goodness = belief.level + on.vibe() / 50.0;
        if goodness > best_now.0 {
            best_now = (goodness, at_ms);
        }
        if at + 1 < LEAST_WINDOWS {
            continue;
        }
        let (advice, weighed) = advice(&on);
        let promotion = Promotion {
            now: on.promotion().is_some_and(|weighed| weighed.sure >= SURE),
            probability: two(on.above_usual().sure),
            best_ms: best_now.1,
        };
        let prediction = Prediction {
            stream_id: insights[at].stream_id.clone(),
            at_ms,
            until_ms,
            engagement: engagement(belief, usual, &steps[at]),
            churn: on.churn.cloned(),
            promotion,
            advice,
        };
        // Windows after the horizon add nothing to the outcome but that its time is over.
        let later = insights[at + 1..].iter().take(horizon + 1).copied();
        let outcome = prediction.advice.claim.outcome(later);
        all.push(Made { windows: at + 1, told: Told { prediction, outcome }, weighed, usual, asked });
    }
    (all, sureness.lessons().for_next_stream())
}

/// How many windows a prediction reaches.
pub(super) fn horizon(insights: &[&Insight]) -> Option<usize> {
    insights.first().map(|first| (HORIZON_MS / length_ms(first)).max(1) as usize)
}

fn length_ms(insight: &Insight) -> i64 {
    (insight.window_end_ms - insight.window_start_ms).max(1)
}

fn engagement(belief: &Belief, usual: f64, newest: &Step) -> Engagement {
    let (least, most) = belief.range();
    let change = (belief.trend * 60.0 / newest.seconds).exp() - 1.0;
    let momentum = if change >= MOMENTUM {
        Momentum::Rising
    } else if change <= -MOMENTUM {
        Momentum::Falling
    } else {
        Momentum::Steady
    };
    Engagement {
        now: two(belief.level.exp()),
        usual: two(usual),
        expected: two(belief.per_second()),
        least: two(least),
        most: two(most),
        momentum,
        change_per_minute: two(change),
    }
}

fn two(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
