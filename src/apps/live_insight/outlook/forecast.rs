//! How much chat there will be: exponential smoothing with a damped trend, on the logarithm of the rate.
//!
//! The logarithm makes a half and a double equally far from now. The trend is damped, because a change of some minutes
//! does not go on for ever. How far a forecast is off is learnt from the stream itself: from its earlier forecasts.
//!
//! A forecast starts from the mean of the last windows. It moves towards the last window, and then towards the smoothing,
//! as far as each was better so far ([`Pool`]). So it is hardly worse than the mean where nothing can be foreseen.

use statrs::distribution::{ContinuousCDF as _, Normal};

use super::{
    course::{Step, log_rate, per_second},
    pool::{LATELY, Pool, Said},
};

/// Weight of the newest window in the level.
const LEVEL: f64 = 0.35;
/// Weight of the newest change in the trend.
const TREND: f64 = 0.08;
/// What remains of the trend from one window to the next.
const DAMPING: f64 = 0.85;
/// A window that is further from the level than this counts as being so far: a break of a minute is not an end.
const FURTHEST: f64 = 1.0;
/// The spread of forecasts before the stream has shown its own.
const SPREAD: f64 = 0.35;
/// How many forecasts the first spread stands for.
const SPREAD_WEIGHT: f64 = 6.0;
/// Weight that remains of an earlier error for each window since.
const FORGET: f64 = 0.97;
/// The chat rate that is expected, as a normal distribution of its logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Belief {
    /// The logarithm of the expected chats per second.
    pub(super) mean: f64,
    /// The standard deviation of the logarithm.
    pub(super) spread: f64,
    /// The logarithm of the rate now.
    pub(super) level: f64,
    /// The change of the logarithm from window to window.
    pub(super) trend: f64,
}

impl Belief {
    /// How probable it is that the rate is below another one, in chats per second.
    pub(super) fn below(&self, per_second: f64) -> f64 {
        let usual = Normal::new(self.mean, self.spread);
        usual.map_or(0.5, |usual| usual.cdf(per_second.max(1e-9).ln()))
    }

    pub(super) fn per_second(&self) -> f64 {
        self.mean.exp()
    }

    /// A range that holds the rate in eight of ten cases.
    pub(super) fn range(&self) -> (f64, f64) {
        let far = 1.2816 * self.spread;
        ((self.mean - far).exp(), (self.mean + far).exp())
    }
}

/// For each window, what is expected of the `horizon` windows after it. It depends on this and earlier windows only.
pub(super) fn beliefs(steps: &[Step], horizon: usize) -> Vec<Belief> {
    let horizon = horizon.max(1);
    // The mean of the damped trend over the horizon.
    let (mut reach, mut power, mut sum) = (0.0, 1.0, 0.0);
    for _ in 0..horizon {
        power *= DAMPING;
        sum += power;
        reach += sum / horizon as f64;
    }
    let mut state: Option<(f64, f64)> = None;
    let (mut squares, mut weight) = (SPREAD * SPREAD * SPREAD_WEIGHT, SPREAD_WEIGHT);
    let mut beliefs: Vec<Belief> = Vec::with_capacity(steps.len());
    let mut pool = Pool::default();
    for at in 0..steps.len() {
        state = match (state, steps[at].calm) {
            (None, calm) => calm.map(|calm| (calm, 0.0)),
            (Some((level, trend)), None) => Some((level + DAMPING * trend, DAMPING * trend)),
            (Some((level, trend)), Some(calm)) => {
                let expected = level + DAMPING * trend;
                let off = (calm - expected).clamp(-FURTHEST, FURTHEST);
                // The first windows weigh equally.
                let newest = LEVEL.max(1.0 / (at + 1) as f64);
                Some((expected + newest * off, DAMPING * trend + TREND * off))
            }
        };
        let (level, trend) = state.unwrap_or((log_rate(0.0, steps[at].seconds), 0.0));
        if at >= horizon
            && let Some(seen) = seen(&steps[at + 1 - horizon..=at])
        {
            let off = beliefs[at - horizon].mean - seen;
            squares = FORGET * squares + off * off;
            weight = FORGET * weight + 1.0;
            pool.learn(at - horizon, seen);
        }
        // Of a first silent window, it is not known yet whether the chat stopped.
        let last = steps[at].calm.unwrap_or(level);
        let lately = &steps[(at + 1).saturating_sub(LATELY)..=at];
        let said = Said { lately: plain(lately), last, smooth: level + reach * trend };
        let mean = pool.forecast(said, squares / weight);
        // Messages come by chance, so even a steady chat is not known better than its number allows.
        let chats = mean.exp() * steps[at].seconds * horizon as f64;
        let spread = (squares / weight).max(1.0 / (chats + 1.0)).sqrt();
        beliefs.push(Belief { mean, spread, level, trend });
    }
    beliefs
}

/// The logarithm of the mean chat rate outside of spikes. A silent window counts as silent.
fn plain(lately: &[Step]) -> f64 {
    let seconds: f64 = lately.iter().map(|step| step.seconds).sum();
    let chats: f64 =
        lately.iter().filter_map(|step| step.calm.map(|calm| per_second(calm, step.seconds) * step.seconds)).sum();
    log_rate(chats, seconds)
}

/// The logarithm of the chat rate over some windows.
pub(super) fn seen(steps: &[Step]) -> Option<f64> {
    let chats: u64 = steps.iter().map(|step| step.chats).sum();
    let seconds: f64 = steps.iter().map(|step| step.seconds).sum();
    (!steps.is_empty()).then(|| log_rate(chats as f64, seconds))
}
