//! What goes wrong, by seed.

/// What goes wrong. Shares are from 0 to 1, drawn for each session or request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// Decides what strikes when, and how times tremble.
    pub seed: u64,
    /// Sessions and requests that fail at once because the service is away: `UNAVAILABLE`, status 503.
    pub unavailable: f64,
    /// Sessions and requests that fail at once because of too many requests: `RESOURCE_EXHAUSTED`, status 429.
    pub exhausted: f64,
    /// Sessions that end in the middle without a word of why, and requests that fail with status 500.
    pub cut: f64,
    /// Sessions whose final results come late: up to eight seconds of audio after their words.
    pub late: f64,
    /// Times of words differ by up to so much from the script, in milliseconds.
    pub jitter_ms: i64,
}

impl Default for Faults {
    /// Nothing goes wrong.
    fn default() -> Self {
        Self { seed: 1, unavailable: 0.0, exhausted: 0.0, cut: 0.0, late: 0.0, jitter_ms: 0 }
    }
}
