//! Whose footage is fetched now: no owner keeps the others from theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::error::MediaError;

/// A number of turns, of which one owner has at most half, and at least one.
#[derive(Debug)]
pub(super) struct Turns {
    all: Semaphore,
    of_one: usize,
    owners: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A turn; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _of_all: SemaphorePermit<'a>,
    _of_owner: OwnedSemaphorePermit,
}

impl Turns {
    pub(super) fn new(count: usize) -> Self {
        let count = count.max(1);
        Self { all: Semaphore::new(count), of_one: (count / 2).max(1), owners: Mutex::default() }
    }

    /// Waits for a turn; the first one who waits gets the first one.
    pub(super) async fn take(&self, owner: &str) -> Result<Turn<'_>, MediaError> {
        let closed = |_| MediaError::transient("The queue of clips is closed.");
        // First the owner's own: who waits for that takes nothing from the others.
        let of_owner = self.of(owner).acquire_owned().await.map_err(closed)?;
        Ok(Turn { _of_all: self.all.acquire().await.map_err(closed)?, _of_owner: of_owner })
    }

    fn of(&self, owner: &str) -> Arc<Semaphore> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = owners.get(owner).and_then(Weak::upgrade) {
            return turns;
        }
        owners.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(self.of_one));
        owners.insert(owner.to_owned(), Arc::downgrade(&turns));
        turns
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::Turns;

    #[tokio::test]
    async fn an_owner_has_at_most_half_of_the_turns_and_at_least_one() {
        let turns = Turns::new(4);
        let first = turns.take("ada").await.expect("a turn");
        let _second = turns.take("ada").await.expect("a turn");
        assert!(turns.take("ada").now_or_never().is_none());
        let _other = turns.take("bob").await.expect("a turn");
        drop(first);
        assert!(turns.take("ada").now_or_never().is_some());
        assert!(Turns::new(1).take("ada").now_or_never().is_some());
    }
}
