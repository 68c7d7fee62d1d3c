//! Queries of session stores.

use std::{marker::PhantomData, ops::Bound, sync::Arc};

use tidemill_state::{Coded, Session, SessionKey};

use super::{QueryError, QueryTarget, piece::Rows, target::with_options};
use crate::graph::StoreShape;

/// Reads a session store of this instance, including uncommitted updates (`ReadOnlySessionStore` of interactive queries
/// in Kafka Streams). [`Streams::session_store`](crate::Streams::session_store) returns it.
///
/// A query reads only the sessions of one key, in pieces, between the turns of the stores' threads. The result may or
/// may not contain updates that happen during the query.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{Materialized, SessionWindows, Streams, StreamsBuilder, StreamsConfig, state::Session};
/// # use tidemill::transport::embedded::{EmbeddedLog, Entry};
/// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
/// # (log.create("chat", 1)?, log.create("counts", 1)?);
/// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(30));
/// let kept = Materialized::named("visits").retention(Duration::from_hours(1));
/// let counts = builder.stream::<String, String>("chat").group_by_key().windowed_by(visits).count(kept);
/// # counts.to_stream().to("counts");
///
/// # let said = [("hi", 0), ("you", 5_000), ("bye", 60_000)];
/// # log.append("chat", 0, said.map(|(text, timestamp)| Entry::new("ann", text, timestamp)))?;
/// let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-visits"), log.clone())?;
/// # while log.end_offsets("counts")? != [4] {
/// #     std::thread::yield_now();
/// # }
/// let visits = streams.session_store::<String, i64>("visits");
/// let (first, second) = (Session { start: 0, end: 5_000 }, Session { start: 60_000, end: 60_000 });
/// assert_eq!(visits.fetch(&"ann".into())?, [(first, 2), (second, 1)]);
/// assert_eq!(visits.find_sessions(&"ann".into(), 5_001, i64::MAX)?, [(second, 1)]);
/// assert_eq!(visits.fetch_session(&"ann".into(), 0, 5_000)?, Some(2));
/// # streams.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SessionQuery<K, V> {
    target: QueryTarget,
    store: Arc<str>,
    types: PhantomData<fn(K, V)>,
}

with_options!(SessionQuery);

impl<K: Coded, V: Coded> SessionQuery<K, V> {
    /// All sessions of a key, earliest end first (`ReadOnlySessionStore.fetch` in Kafka Streams; reverse the list for its
    /// `backwardFetch`). Sessions past the store's retention are gone.
    ///
    /// See the example of [`SessionQuery`].
    ///
    /// # Errors
    ///
    /// Fails if the store has other types, if no task that can answer has the store, if a thread does not answer in time,
    /// if the caller is a stream thread of the application, or if the store cannot be read. See [`QueryError`].
    pub fn fetch(&self, key: &K) -> Result<Vec<(Session, V)>, QueryError> {
        self.find_sessions(key, 0, i64::MAX)
    }

    /// The sessions of a key that end at `earliest_end` or later and start at `latest_start` or earlier, earliest end
    /// first (`ReadOnlySessionStore.findSessions` in Kafka Streams). Times are milliseconds since the epoch.
    ///
    /// See the example of [`SessionQuery`].
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    pub fn find_sessions(
        &self,
        key: &K,
        earliest_end: i64,
        latest_start: i64,
    ) -> Result<Vec<(Session, V)>, QueryError> {
        let typed = self.target.typed::<K, V>(&self.store, StoreShape::Session)?;
        let key = typed.encode(key)?;
        let bound = |end: i64, start: i64| SessionKey { key: key.clone(), end: end.max(0), start }.encode_local();
        let (from, to) = (Bound::Included(bound(earliest_end, 0)), Bound::Included(bound(i64::MAX, i64::MAX)));
        let rows = Rows { kind: StoreShape::Session, from, to, limit: usize::MAX, values: true, key: None };
        let mut sessions = Vec::new();
        for (row, value) in self.target.walk(&self.store, rows)? {
            let SessionKey { start, end, .. } =
                SessionKey::decode_local(row).map_err(|error| typed.undecodable(error))?;
            if start <= latest_start {
                sessions.push((Session { start, end }, typed.value(value)?));
            }
        }
        Ok(sessions)
    }

    /// The value of one session (`ReadOnlySessionStore.fetchSession` in Kafka Streams).
    ///
    /// See the example of [`SessionQuery`].
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    pub fn fetch_session(&self, key: &K, start: i64, end: i64) -> Result<Option<V>, QueryError> {
        let wanted = Session { start, end };
        let found = self.find_sessions(key, end, start)?.into_iter().find(|(session, _)| *session == wanted);
        Ok(found.map(|(_, value)| value))
    }
}
