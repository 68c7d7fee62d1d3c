//! How far a method is trusted beside a plainer one: as far as it was better so far.

/// What two methods said, and what came.
///
/// A pooled value is `plain + trust * (model - plain)`. The trust is the one that would have made the smallest squared
/// error so far, drawn towards a first trust while there is little evidence: a ridge regression with one unknown.
/// Evidence is a sum of squared differences of the methods.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Trust {
    /// The sum of the products of the methods' difference and what the plain method missed.
    gained: f64,
    /// The sum of the squared differences of the methods.
    differed: f64,
}

/// The trust without evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct First {
    /// The trust in the model, 0 to 1.
    pub(super) trust: f64,
    /// The evidence that it stands for.
    pub(super) evidence: f64,
}

impl Trust {
    /// Learns from a time that is over.
    pub(super) fn learn(&mut self, model: f64, plain: f64, came: f64) {
        self.gained += (model - plain) * (came - plain);
        self.differed += (model - plain).powi(2);
    }

    /// What both methods say together.
    pub(super) fn pool(&self, model: f64, plain: f64, first: First) -> f64 {
        let trust = (first.evidence * first.trust + self.gained) / (first.evidence + self.differed);
        plain + trust.clamp(0.0, 1.0) * (model - plain)
    }

    /// Lets what was learnt so far count less.
    pub(super) fn fade(&mut self, remains: f64) {
        self.gained *= remains;
        self.differed *= remains;
    }
}
