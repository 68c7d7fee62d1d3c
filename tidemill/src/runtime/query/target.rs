//! The threads and standbys that a query asks, and the merge of their answers.

use std::{
    ops::Bound,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use crossbeam_channel::{RecvTimeoutError, bounded};
use tidemill_state::StoreError;

use super::{
    QueryError,
    line::{Line, StoreQuery},
    piece::{Piece, Rows},
};
use crate::{operators::StoreHandle, runtime::Standbys};

/// The constructor and the options of a query, whatever the kind of its store.
macro_rules! with_options {
    ($query:ident) => {
        impl<K, V> $query<K, V> {
            pub(crate) fn new(target: QueryTarget, store: &str) -> Self {
                Self { target, store: store.into(), types: std::marker::PhantomData }
            }

            /// Asks only the tasks of one partition. A missing key is then an answer for this partition only.
            pub fn with_partition(mut self, partition: i32) -> Self {
                self.target.partition = Some(partition);
                self
            }

            /// Lets standbys answer, too. Their data is committed, and may be older than the data of the task's owner.
            pub fn enable_stale_stores(mut self) -> Self {
                self.target.stale = true;
                self
            }

            /// Sets how long to wait for each answer of a thread, instead of the configured `query_timeout`.
            pub fn with_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.target.timeout = timeout;
                self
            }
        }
    };
}

pub(super) use with_options;

/// The target of a query: every thread, or the tasks of one partition only; and standbys, if allowed.
#[derive(Clone)]
pub(crate) struct QueryTarget {
    lines: Vec<Line>,
    standbys: Arc<Standbys>,
    pub(super) partition: Option<i32>,
    pub(super) stale: bool,
    pub(super) timeout: Duration,
}

impl QueryTarget {
    pub(crate) fn new(lines: Vec<Line>, standbys: Arc<Standbys>, timeout: Duration) -> Self {
        Self { lines, standbys, partition: None, stale: false, timeout }
    }

    /// Asks once and joins the answers. `read` gets the number of stores that are read in one go.
    pub(super) fn ask<R: Send + 'static>(
        &self,
        name: &Arc<str>,
        read: impl Fn(&StoreHandle, usize) -> Option<Result<R, StoreError>> + Send + Sync + 'static,
    ) -> Result<Vec<R>, QueryError> {
        if self.lines.iter().any(Line::ends_here) {
            return Err(QueryError::FromWithin(name.to_string()));
        }
        let deadline = Instant::now().checked_add(self.timeout);
        let (read, partition, asking) = (Arc::new(read), self.partition, Arc::new(()));
        let mut replies = Vec::new();
        for line in &self.lines {
            let (sender, receiver) = bounded(1);
            let (name, read, asks) = (name.clone(), read.clone(), Arc::downgrade(&asking));
            let work: StoreQuery = Box::new(move |tasks| {
                // The caller may have timed out. Then no answer is needed.
                if asks.strong_count() == 0 {
                    return;
                }
                let tasks = tasks.iter().filter(|task| partition.is_none_or(|number| number == task.task.partition));
                let handles: Vec<_> = tasks.filter_map(|task| task.handles.get(&name)).collect();
                let read = handles.iter().filter_map(|handle| read(handle, handles.len()));
                let _ = sender.send(read.collect::<Vec<_>>());
            });
            line.send(work)?;
            replies.push(receiver);
        }
        let mut found = Vec::new();
        for reply in replies {
            let answer = match deadline {
                Some(deadline) => reply.recv_deadline(deadline),
                None => reply.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            found.extend(answer.map_err(|failed| match failed {
                RecvTimeoutError::Timeout => QueryError::TimedOut { store: name.to_string(), waited: self.timeout },
                RecvTimeoutError::Disconnected => QueryError::NotRunning,
            })?);
        }
        if self.stale {
            found.extend(self.standbys.read(name, partition, |handle| read(handle, 1)));
        }
        if found.is_empty() {
            return Err(QueryError::NotHere(name.to_string()));
        }
        Ok(found.into_iter().collect::<Result<_, _>>()?)
    }

    /// Asks until all rows are there, in the order of the keys' bytes. A key that several partitions have counts once
    /// towards the limit.
    pub(super) fn walk(&self, name: &Arc<str>, mut rows: Rows) -> Result<Vec<(Bytes, Bytes)>, QueryError> {
        let (limit, mut found) = (rows.limit, Vec::new());
        if limit == 0 {
            return Ok(found);
        }
        loop {
            let wanted = rows.clone();
            let pieces = self.ask(name, move |handle, together| wanted.read(handle, together))?;
            // After this key, some partition may have more rows.
            let known = pieces.iter().filter_map(|piece| piece.more_after.clone()).min();
            let told = pieces.into_iter().flat_map(|Piece { rows, .. }| rows);
            let from = found.len();
            found.extend(told.filter(|(key, _)| known.as_ref().is_none_or(|known| key <= known)));
            found[from..].sort_by(|(one, _), (other, _)| one.cmp(other));
            if found.len() >= limit {
                let last = found[limit - 1].0.clone();
                found.retain(|(key, _)| *key <= last);
                return Ok(found);
            }
            let Some(known) = known else { return Ok(found) };
            rows.from = Bound::Excluded(known);
            rows.limit = limit - found.len();
        }
    }
}
