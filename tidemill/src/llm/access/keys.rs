//! Several API keys take turns: a key that is refused or exhausted rests, and the next one is used.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{ModelError, ModelErrorKind, Secret};
use crate::clock::{Clock, millis};

/// A key that was refused is tried again after this time, because somebody may have corrected it.
const REFUSED_MS: i64 = 10 * 60_000;
/// A quota of a minute is new after this time, if the service names no other.
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * 60_000;
/// Daily quotas begin anew at midnight on the Pacific coast, in winter. In summer that is an hour late, which is safe.
const MIDNIGHT_MS: i64 = 8 * 60 * 60_000;

#[derive(Debug)]
pub(in crate::llm) struct ApiKeys {
    keys: Vec<Secret>,
    clock: Arc<dyn Clock>,
    rests: Mutex<Rests>,
}

/// Until when keys rest, in monotonic time. Quotas are a model's, refusals are a key's.
#[derive(Debug, Default)]
struct Rests {
    /// The key that is used as long as it works.
    current: usize,
    refused: BTreeMap<usize, i64>,
    spent: BTreeMap<(usize, String), i64>,
}

impl ApiKeys {
    pub(super) fn new(keys: Vec<Secret>, clock: Arc<dyn Clock>) -> Self {
        Self { keys, clock, rests: Mutex::default() }
    }

    pub(super) const fn is_single(&self) -> bool {
        self.keys.len() == 1
    }

    /// The key to use now, or until when all of them rest.
    pub(super) fn choose(&self, model: &str) -> Result<(usize, Secret), ModelError> {
        let now = self.clock.monotonic_ms();
        let mut rests = self.rests();
        let mut soonest: Option<i64> = None;
        for step in 0..self.keys.len() {
            let index = (rests.current + step) % self.keys.len();
            if rests.refused.get(&index).is_some_and(|until| *until > now) {
                continue;
            }
            match rests.spent.get(&(index, model.to_owned())) {
                Some(until) if *until > now => soonest = Some(soonest.map_or(*until, |soonest| soonest.min(*until))),
                _ => {
                    rests.current = index;
                    return Ok((index, self.keys[index].clone()));
                }
            }
        }
        Err(match soonest {
            // Somebody waits for a minute, and nobody for half a day.
            Some(until) => ModelErrorKind::RateLimited {
                retry_after: Some(Duration::from_millis((until - now) as u64)),
                daily: until - now > 60 * MINUTE_MS,
                code: "every key rests".into(),
            },
            None => ModelErrorKind::Unauthorized { code: "no key is left".into() },
        }
        .into())
    }

    pub(super) fn refused(&self, index: usize) {
        let until = self.clock.monotonic_ms() + REFUSED_MS;
        self.rests().refused.insert(index, until);
    }

    pub(super) fn spent(&self, index: usize, model: &str, pause: Option<Duration>, daily: bool) {
        let rest = match pause {
            _ if daily => DAY_MS - (self.clock.now_ms() - MIDNIGHT_MS).rem_euclid(DAY_MS),
            Some(pause) => millis(pause),
            None => MINUTE_MS,
        };
        let until = self.clock.monotonic_ms() + rest;
        self.rests().spent.insert((index, model.to_owned()), until);
    }

    fn rests(&self) -> MutexGuard<'_, Rests> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    /// 20:00 UTC, so that the Pacific day ends after twelve hours.
    fn keys(clock: &ManualClock) -> ApiKeys {
        ApiKeys::new(["a", "b"].map(Secret::new).into(), Arc::new(clock.clone()))
    }

    fn chosen(keys: &ApiKeys, model: &str) -> Result<String, ModelErrorKind> {
        keys.choose(model).map(|(_, key)| key.expose().to_owned()).map_err(|error| error.kind)
    }

    #[test]
    fn an_exhausted_key_rests_for_its_model_only() {
        let clock = ManualClock::new(20 * 60 * MINUTE_MS);
        let keys = keys(&clock);
        keys.spent(0, "flash", Some(Duration::from_secs(36)), false);
        assert_eq!(chosen(&keys, "flash"), Ok("b".into()));
        keys.spent(1, "flash", None, false);
        assert!(matches!(
            chosen(&keys, "flash"),
            Err(ModelErrorKind::RateLimited { retry_after: Some(pause), daily: false, .. })
                if pause == Duration::from_secs(36)
        ));
        assert!(chosen(&keys, "pro").is_ok());
        clock.advance(Duration::from_secs(37));
        assert_eq!(chosen(&keys, "flash"), Ok("a".into()));
    }

    #[test]
    fn a_daily_quota_rests_until_the_pacific_midnight() {
        let clock = ManualClock::new(20 * 60 * MINUTE_MS);
        let keys = keys(&clock);
        keys.spent(0, "flash", Some(Duration::from_secs(36)), true);
        keys.spent(1, "flash", Some(Duration::from_secs(36)), true);
        let twelve_hours = Duration::from_secs(12 * 3_600);
        assert!(matches!(
            chosen(&keys, "flash"),
            Err(ModelErrorKind::RateLimited { retry_after: Some(pause), daily: true, .. }) if pause == twelve_hours
        ));
        clock.advance(twelve_hours);
        assert!(chosen(&keys, "flash").is_ok());
    }

    #[test]
    fn a_refused_key_is_tried_again_later() {
        let clock = ManualClock::new(0);
        let keys = keys(&clock);
        keys.refused(0);
        assert_eq!(chosen(&keys, "flash"), Ok("b".into()));
        keys.refused(1);
        assert!(matches!(chosen(&keys, "flash"), Err(ModelErrorKind::Unauthorized { .. })));
        clock.advance(Duration::from_secs(601));
        assert!(chosen(&keys, "flash").is_ok());
    }
}
