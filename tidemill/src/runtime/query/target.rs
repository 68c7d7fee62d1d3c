//! The threads and standbys that a query asks, and the merge of their answers.

use std::{
    ops::Bound,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use crossbeam_channel::{RecvTimeoutError, bounded};
use tidemill_state::{Coded, StoreError};

use super::{
    QueryError,
    line::{Line, StoreQuery},
    piece::{Piece, Rows},
    typed::Typed,
};
use crate::{
    graph::StoreShape,
    operators::{GlobalStores, StoreHandle},
    plan::Plan,
    runtime::Standbys,
};

/// The constructor and the options of a query, whatever the kind of its store.
macro_rules! with_options {
    ($query:ident) => {
        impl<K, V> $query<K, V> {
            pub(crate) fn new(target: QueryTarget, store: &str) -> Self {
                Self { target, store: store.into(), types: std::marker::PhantomData }
            }

            /// Asks only the tasks of one partition. A missing key is then an answer for this partition only
            /// (`StoreQueryParameters.withPartition` in Kafka Streams).
            ///
            /// ```
            /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
            /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
            /// # (log.create("chat", 1)?, log.create("counts", 1)?);
            /// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
            /// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
            /// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
            /// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
            /// # while log.end_offsets("counts")? != [3] {
            /// #     std::thread::yield_now();
            /// # }
            /// let first = streams.key_value_store::<String, i64>("messages").with_partition(0);
            /// assert_eq!(first.get(&"ann".into())?, Some(2));
            /// let second = streams.key_value_store::<String, i64>("messages").with_partition(1);
            /// assert!(second.get(&"ann".into()).is_err(), "no task of this instance has partition 1");
            /// # streams.close()?;
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn with_partition(mut self, partition: i32) -> Self {
                self.target.partition = Some(partition);
                self
            }

            /// Lets standbys answer, too (`StoreQueryParameters.enableStaleStores` in Kafka Streams). Their data is committed,
            /// and may be older than the data of the task's owner. The default is owners only. Stores that are restoring never
            /// answer; in Kafka Streams they do.
            ///
            /// ```
            /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
            /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
            /// # (log.create("chat", 1)?, log.create("counts", 1)?);
            /// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
            /// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
            /// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
            /// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
            /// # while log.end_offsets("counts")? != [3] {
            /// #     std::thread::yield_now();
            /// # }
            /// // Also finds keys whose task another instance owns, if this instance keeps a standby of the task.
            /// let messages = streams.key_value_store::<String, i64>("messages").enable_stale_stores();
            /// assert_eq!(messages.get(&"ann".into())?, Some(2));
            /// # streams.close()?;
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn enable_stale_stores(mut self) -> Self {
                self.target.stale = true;
                self
            }

            /// Sets how long to wait for each answer of a thread, in wall time, instead of the configured
            /// [`query_timeout`](crate::StreamsConfig::query_timeout). After that the query fails with
            /// [`QueryError::TimedOut`].
            ///
            /// ```
            /// # use std::time::Duration;
            /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
            /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
            /// # (log.create("chat", 1)?, log.create("counts", 1)?);
            /// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
            /// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
            /// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
            /// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
            /// # while log.end_offsets("counts")? != [3] {
            /// #     std::thread::yield_now();
            /// # }
            /// let messages = streams.key_value_store::<String, i64>("messages").with_timeout(Duration::from_secs(60));
            /// assert_eq!(messages.get(&"bo".into())?, Some(1));
            /// # streams.close()?;
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
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
    globals: Arc<GlobalStores>,
    plan: Arc<Plan>,
    pub(super) partition: Option<i32>,
    pub(super) stale: bool,
    pub(super) timeout: Duration,
}

impl QueryTarget {
    pub(crate) fn new(
        lines: Vec<Line>,
        standbys: Arc<Standbys>,
        globals: Arc<GlobalStores>,
        plan: Arc<Plan>,
        timeout: Duration,
    ) -> Self {
        Self { lines, standbys, globals, plan, partition: None, stale: false, timeout }
    }

    /// The codecs of a store, if it is of this kind and has these types.
    pub(super) fn typed<K: Coded, V: Coded>(
        &self,
        store: &Arc<str>,
        shape: StoreShape,
    ) -> Result<Typed<K, V>, QueryError> {
        let types = self.plan.graph().store_types.get(&**store);
        let types = types.ok_or_else(|| QueryError::UnknownStore(store.to_string()))?;
        Ok(Typed::new(store, types.codecs(store, shape)?))
    }

    /// Asks once and joins the answers. `read` gets the number of stores that are read in one go.
    pub(super) fn ask<R: Send + 'static>(
        &self,
        name: &Arc<str>,
        read: impl Fn(&StoreHandle, usize) -> Option<Result<R, StoreError>> + Send + Sync + 'static,
    ) -> Result<Vec<R>, QueryError> {
        if let Some(store) = self.globals.reading(name) {
            // Its rows are shared, so no other thread is needed.
            let read = read(&StoreHandle::KeyValue(store), 1);
            return Ok(vec![read.ok_or_else(|| QueryError::NotHere(name.to_string()))??]);
        }
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
