//! A tenant's share of what all tenants use together, so that no tenant takes all of it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::server::{budget::Budget, problem::Problem, settings::Limits};

/// What one tenant may use at most: half of what all tenants may use together.
#[derive(Debug)]
pub(super) struct Share {
    bodies: Budget,
    followers: Arc<Semaphore>,
    views: Arc<Semaphore>,
}

impl Share {
    pub(super) fn half_of(limits: &Limits) -> Self {
        let followers = Arc::new(Semaphore::new(limits.event_streams.div_ceil(2)));
        Self { bodies: Budget::new(limits.bytes_in_flight / 2), followers, views: Arc::new(Semaphore::new(1)) }
    }

    /// Reserves memory for a body until the permit is dropped.
    pub(super) fn body(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let busy = || Problem::busy("too many bytes of this tenant's requests are in progress", 1);
        self.bodies.reserve(bytes).ok_or_else(busy)
    }

    /// A place for a page that follows results, until the permit is dropped.
    pub(super) fn follower(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = self.followers.clone().try_acquire_owned();
        permit.map_err(|_| Problem::busy("too many pages of this tenant follow results", 10))
    }

    /// A turn to have a view made, until the permit is dropped. Waits for the tenant's earlier ones.
    pub(super) async fn turn(&self) -> OwnedSemaphorePermit {
        self.views.clone().acquire_owned().await.expect("the semaphore is never closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: usize = 1024;

    #[test]
    fn a_tenant_never_has_more_than_half() {
        let share = Share::half_of(&Limits { bytes_in_flight: 8 * UNIT, event_streams: 3, ..Limits::default() });
        let held = share.body(3 * UNIT).expect("three of four");
        assert!(share.body(2 * UNIT).is_err());
        let rest = share.body(1).expect("the fourth");
        drop((held, rest));
        assert!(share.body(100 * UNIT).is_ok(), "a large body passes alone");
        let pages: Vec<_> = (0..2).map(|_| share.follower().expect("two of three")).collect();
        assert!(share.follower().is_err());
        drop(pages);
        assert!(share.follower().is_ok());
    }
}
