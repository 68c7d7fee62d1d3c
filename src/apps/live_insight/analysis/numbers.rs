//! Numbers as results carry them.

/// Two digits behind the point.
pub(super) fn round2(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
