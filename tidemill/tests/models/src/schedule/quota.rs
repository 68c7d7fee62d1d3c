//! What a key may use in a minute.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// What each key may use in a minute. A key's buckets start full and fill steadily. A refused call uses nothing. Unlike
/// the faults, a quota depends on the time at which calls come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// The most requests.
    pub requests_per_minute: Option<u64>,
    /// The most tokens of prompts and answers together.
    pub tokens_per_minute: Option<u64>,
}

impl Quota {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.requests_per_minute == Some(0) || self.tokens_per_minute == Some(0) {
            return Err("A quota is 0 a minute. Give at least 1, or leave it out.".into());
        }
        Ok(())
    }
}

/// Whether a call fits into its key's quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Enough,
    /// There is enough after this time. `of` names the limit.
    After {
        ms: u64,
        of: &'static str,
    },
}

#[derive(Debug)]
struct Bucket {
    requests: f64,
    tokens: f64,
    filled_at_ms: u64,
}

/// What each key has left.
#[derive(Debug, Default)]
pub(crate) struct Buckets(HashMap<String, Bucket>);

impl Buckets {
    /// Takes a call's share, if there is enough of it.
    pub(crate) fn take(&mut self, quota: &Quota, key: &str, tokens: u64, now_ms: u64) -> Room {
        let most_requests = quota.requests_per_minute.map_or(f64::INFINITY, |most| most as f64);
        let most_tokens = quota.tokens_per_minute.map_or(f64::INFINITY, |most| most as f64);
        let bucket = self.0.entry(key.to_owned()).or_insert(Bucket {
            requests: most_requests,
            tokens: most_tokens,
            filled_at_ms: now_ms,
        });
        let minutes = now_ms.saturating_sub(bucket.filled_at_ms) as f64 / 60_000.0;
        bucket.filled_at_ms = now_ms;
        bucket.requests = filled(bucket.requests, most_requests, minutes);
        bucket.tokens = filled(bucket.tokens, most_tokens, minutes);
        let requests_ms = missing_ms(bucket.requests, 1.0, most_requests);
        let tokens_ms = missing_ms(bucket.tokens, tokens as f64, most_tokens);
        if requests_ms > 0 && requests_ms >= tokens_ms {
            return Room::After { ms: requests_ms, of: "requests" };
        }
        if tokens_ms > 0 {
            return Room::After { ms: tokens_ms, of: "tokens" };
        }
        bucket.requests -= 1.0;
        bucket.tokens -= tokens as f64;
        Room::Enough
    }
}

fn filled(has: f64, most: f64, minutes: f64) -> f64 {
    if most.is_infinite() { most } else { (has + most * minutes).min(most) }
}

/// How long it takes until there is enough. What is more than a minute's worth never fits; the answer is a minute.
fn missing_ms(has: f64, wanted: f64, a_minute: f64) -> u64 {
    if wanted <= has { 0 } else { (((wanted - has) / a_minute * 60_000.0).ceil() as u64).clamp(1, 60_000) }
}

#[cfg(test)]
mod tests {
    use super::{Buckets, Quota, Room};

    #[test]
    fn a_bucket_starts_full_and_fills_steadily() {
        let mut buckets = Buckets::default();
        let quota = Quota { requests_per_minute: Some(2), tokens_per_minute: None };
        assert_eq!(buckets.take(&quota, "a", 9, 0), Room::Enough);
        assert_eq!(buckets.take(&quota, "a", 9, 0), Room::Enough);
        assert_eq!(buckets.take(&quota, "a", 9, 0), Room::After { ms: 30_000, of: "requests" });
        assert_eq!(buckets.take(&quota, "b", 9, 0), Room::Enough, "each key has its own");
        assert_eq!(buckets.take(&quota, "a", 9, 30_000), Room::Enough);
    }

    #[test]
    fn tokens_have_a_bucket_of_their_own() {
        let mut buckets = Buckets::default();
        let quota = Quota { requests_per_minute: None, tokens_per_minute: Some(600) };
        assert_eq!(buckets.take(&quota, "a", 600, 0), Room::Enough);
        assert_eq!(buckets.take(&quota, "a", 10, 0), Room::After { ms: 1_000, of: "tokens" });
        assert_eq!(buckets.take(&quota, "a", 10, 1_000), Room::Enough);
        assert_eq!(buckets.take(&quota, "a", 601, 100_000), Room::After { ms: 100, of: "tokens" });
    }
}
