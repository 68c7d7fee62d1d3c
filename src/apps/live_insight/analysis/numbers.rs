//! Rounds the numbers in results.

/// Rounds to two decimal places.
pub(super) fn round2(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
