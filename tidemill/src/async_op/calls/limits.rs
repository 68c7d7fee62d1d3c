//! Who waits for a limit, and until when.

use std::{collections::BTreeMap, sync::Arc};

use super::{Calls, Effect, Ended, Stage, Timer, call::CallId};
use crate::{
    async_op::{
        CallError, FailureKind, Limit, LimitUse, WhenExhausted,
        fair_queue::Turn,
        ledger::{Again, Refusal},
    },
    clock::Moment,
};

/// How soon a refused limit is tried again, at the latest: use below a reservation may have made room.
const AGAIN_MS: i64 = 1_000;
/// How soon a limit is tried again that some attempt's end makes room for.
const SOON_MS: i64 = 10;

/// Who waits for a limit or a route, until a monotonic time.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    all_ms: Option<i64>,
    /// All routes are closed until then.
    pub(super) routes_ms: Option<i64>,
    tenants: BTreeMap<Arc<str>, i64>,
}

impl Blocked {
    pub(super) fn until_ms(&self) -> Option<i64> {
        self.all_ms.into_iter().chain(self.routes_ms).chain(self.tenants.values().copied()).min()
    }

    pub(super) fn pass(&mut self, now_ms: i64) {
        self.all_ms = self.all_ms.filter(|until_ms| *until_ms > now_ms);
        self.routes_ms = self.routes_ms.filter(|until_ms| *until_ms > now_ms);
        self.tenants.retain(|_, until_ms| *until_ms > now_ms);
    }

    pub(super) const fn all(&self) -> bool {
        self.all_ms.is_some() || self.routes_ms.is_some()
    }

    pub(super) fn turn(&self, tenant: &str) -> Turn {
        if self.tenants.contains_key(tenant) { Turn::SkipTenant } else { Turn::Start }
    }
}

/// The limits that refused attempts which alone may use more than the limit, and how many they refused.
#[derive(Debug, Default)]
pub(super) struct TooSmall(Vec<(Limit, u64)>);

impl TooSmall {
    /// Says it once for each limit. Every further attempt like that is refused, too.
    fn note(&mut self, limit: &Limit) {
        if let Some((_, refused)) = self.0.iter_mut().find(|(known, _)| known == limit) {
            *refused += 1;
            return;
        }
        tracing::warn!(%limit, "a limit is smaller than what one call may use, so such calls are never made: raise it");
        self.0.push((limit.clone(), 1));
    }

    /// Adds to the limits' uses how many attempts could never fit.
    pub(super) fn mark(&self, mut uses: Vec<LimitUse>) -> Vec<LimitUse> {
        for (limit, refused) in &self.0 {
            let limit = limit.to_string();
            for used in uses.iter_mut().filter(|used| used.limit == limit) {
                used.never_fit = *refused;
            }
        }
        uses
    }
}

impl Calls {
    /// Decides what a refused limit means for a call that is out of the queue. Returns whether another route may take
    /// it.
    pub(super) fn goes_on(
        &mut self,
        id: CallId,
        route: usize,
        refusal: &Refusal,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let never_fits = refusal.again == Again::Never;
        if never_fits {
            self.too_small.note(&refusal.limit);
        }
        // An attempt reserves far more than it uses. A budget that has only reservations in its way is not exhausted.
        let passes_soon = !never_fits && (refusal.again == Again::WhenOneEnds || refusal.limit.passes_soon());
        match self.policy.when_exhausted {
            WhenExhausted::Drop if !passes_soon => {
                self.stats.dropped += 1;
                self.end(id, Ended::Dropped, now, effects);
                false
            }
            // A request that never fits would wait for ever.
            when if !passes_soon && (when == WhenExhausted::Fallback || never_fits) => {
                self.stats.exhausted += 1;
                call.routes[route].ruled_out = true;
                call.failed = Some((FailureKind::Exhausted, CallError::permanent(refusal.to_string())));
                true
            }
            _ => {
                let wait_ms = match refusal.again {
                    Again::At(at_ms) => (at_ms - now.wall_ms).clamp(1, AGAIN_MS),
                    Again::WhenOneEnds | Again::Never => SOON_MS,
                };
                let until_ms = now.monotonic_ms + wait_ms;
                if refusal.limit.is_for_tenants() {
                    self.blocked.tenants.insert(call.arrival.tenant.clone(), until_ms);
                } else {
                    self.blocked.all_ms = Some(until_ms);
                }
                self.wait(id);
                false
            }
        }
    }

    /// Lets a call come back later. It does not count as an attempt.
    pub(super) fn pause(&mut self, id: CallId, until_ms: i64) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.stage = Stage::Pausing;
            call.pauses_until_ms = until_ms;
            self.timers.set(until_ms, Timer::Resume(id));
        }
    }
}
