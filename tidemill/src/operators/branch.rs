//! Splits a stream: each record goes to the first branch whose predicate is true.

use std::sync::Arc;

use super::{Next, Outcome, Receive, TaskContext};
use crate::record::{Data, Record};

/// A branch's predicate. It is boxed because the branches of one split have different closures.
pub(crate) type Predicate<K, V> = Arc<dyn Fn(&K, &V) -> bool + Send + Sync>;

/// Branches in the order in which they are tried.
pub(crate) struct Branch<K, V> {
    pub(crate) branches: Vec<(Predicate<K, V>, Next<K, V>)>,
}

impl<K: Data, V: Data> Receive<K, V> for Branch<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        for (predicate, next) in &self.branches {
            if predicate(&record.key, &record.value) {
                return next.hand_over(ctx, record);
            }
        }
        Ok(())
    }
}
