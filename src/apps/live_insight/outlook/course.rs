//! The windows of a stream as a forecast reads them.

use std::collections::BTreeMap;

use tidemill_schemas::Insight;

/// A window without the moments that pass at once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) end_ms: i64,
    pub(super) seconds: f64,
    pub(super) chats: u64,
    pub(super) questions: u64,
    pub(super) vibe: u8,
    /// Whether something was said.
    pub(super) spoken: bool,
    /// The logarithm of the chat rate outside of spikes; `None` in the first window without chat, because its collector
    /// may have been away.
    pub(super) calm: Option<f64>,
}

/// The windows of a stream in order, each once: of several insights of a window, the last one counts.
pub(super) fn in_order<'a>(insights: impl IntoIterator<Item = &'a Insight>) -> Vec<&'a Insight> {
    let by_start: BTreeMap<i64, &Insight> =
        insights.into_iter().map(|insight| (insight.window_start_ms, insight)).collect();
    by_start.into_values().collect()
}

pub(super) fn steps(insights: &[&Insight]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(insights.len());
    for insight in insights {
        let seconds = seconds(insight);
        let first_silent = insight.chats == 0 && steps.last().is_none_or(|before| before.chats > 0);
        let Insight { chats, questions, vibe_score: vibe, window_end_ms: end_ms, .. } = **insight;
        let calm = (!first_silent).then(|| calm(insight, seconds));
        let spoken = insight.segments > 0;
        steps.push(Step { end_ms, seconds, chats, questions, vibe, spoken, calm });
    }
    steps
}

/// The chat rate over some windows, in messages per second.
pub(super) fn rate(steps: &[Step]) -> f64 {
    let chats: u64 = steps.iter().map(|step| step.chats).sum();
    let seconds: f64 = steps.iter().map(|step| step.seconds).sum();
    chats as f64 / seconds.max(f64::MIN_POSITIVE)
}

/// Half a message more than there are, so that silence has a logarithm, too.
pub(super) fn log_rate(chats: f64, seconds: f64) -> f64 {
    ((chats + 0.5) / seconds.max(f64::MIN_POSITIVE)).ln()
}

/// The rate of a logarithm. Silence is silence again.
pub(super) fn per_second(log_rate: f64, seconds: f64) -> f64 {
    (log_rate.exp() - 0.5 / seconds.max(f64::MIN_POSITIVE)).max(0.0)
}

fn calm(insight: &Insight, seconds: f64) -> f64 {
    let spiked: u64 = insight.spikes.iter().map(|spike| spike.chats).sum();
    let spiked_ms: i64 = insight.spikes.iter().map(|spike| spike.end_ms - spike.start_ms).sum();
    let calm_seconds = seconds - spiked_ms as f64 / 1000.0;
    // A spike that fills most of the window leaves too little to see what is usual beside it.
    if calm_seconds * 3.0 < seconds {
        return log_rate(insight.chats as f64, seconds);
    }
    log_rate(insight.chats.saturating_sub(spiked) as f64, calm_seconds)
}

fn seconds(insight: &Insight) -> f64 {
    (insight.window_end_ms - insight.window_start_ms).max(1) as f64 / 1000.0
}
