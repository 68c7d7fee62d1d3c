//! Three forecasts as one: the mean of the last windows, the last window, and a smoothing.

use super::trust::{First, Trust};

/// The plainest forecast is the mean of so many windows.
pub(super) const LATELY: usize = 5;
/// After so many windows, the smoothing is trusted half without evidence, later more.
const HALF_TRUST: f64 = 15.0;
/// How many squared errors of the forecasts the first trust stands for.
const FIRST_EVIDENCE: f64 = 3.0;

/// What each method expects after a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Said {
    pub(super) lately: f64,
    pub(super) last: f64,
    pub(super) smooth: f64,
}

/// Each forecast is trusted as far as it was better than the plainer ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    in_last: Trust,
    in_smooth: Trust,
    /// What was said after each window, and what the two plainer methods said together.
    said: Vec<Option<(Said, f64)>>,
}

impl Pool {
    /// Learns what came after a window.
    pub(super) fn learn(&mut self, at: usize, came: f64) {
        if let Some((said, plain)) = self.said[at] {
            self.in_last.learn(said.last, said.lately, came);
            self.in_smooth.learn(said.smooth, plain, came);
        }
    }

    /// The forecast after the next window. `error` is the mean squared error of forecasts so far.
    pub(super) fn forecast(&mut self, said: Said, error: f64) -> f64 {
        let evidence = FIRST_EVIDENCE * error;
        let windows = (self.said.len() + 1) as f64;
        let plain = self.in_last.pool(said.last, said.lately, First { trust: 0.0, evidence });
        self.said.push(Some((said, plain)));
        self.in_smooth.pool(said.smooth, plain, First { trust: windows / (windows + HALF_TRUST), evidence })
    }

    /// Nothing can be said after the next window.
    pub(super) fn skip(&mut self) {
        self.said.push(None);
    }
}
