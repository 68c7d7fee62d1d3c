//! Interactive queries: a stream thread answers between two turns, from stores whose caches it has flushed.
//!
//! The thread returns bytes, one piece at a time. The caller decodes them and asks for the next piece. So a query does
//! not block the thread for long, and the thread runs no user code that could wait for the thread itself.

mod key_value;
mod line;
mod piece;
mod session;
mod target;
mod typed;
mod versioned;
mod window;

use std::time::Duration;

use thiserror::Error;
use tidemill_state::{CodecError, StoreError};

use crate::error::WrongStoreTypes;

pub use self::{key_value::KeyValueQuery, session::SessionQuery, versioned::VersionedQuery, window::WindowQuery};
pub(super) use self::{
    line::{Bell, Line, StoreQuery},
    target::QueryTarget,
};

/// The reason why a query failed (`InvalidStateStoreException` and others in Kafka Streams).
///
/// ```
/// # use tidemill::QueryError;
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
/// // The store holds values for keys, not for windows.
/// let error = streams.window_store::<String, i64>("messages").fetch(&"ann".into(), 0, 1).unwrap_err();
/// assert!(matches!(error, QueryError::WrongStoreTypes(_)));
/// // The values are of another type.
/// let error = streams.key_value_store::<String, u64>("messages").get(&"ann".into()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "store 'messages' is a key-value store with keys of String (utf8) and values of i64 (i64): \
///      ask with key_value_store::<String, i64> instead of key_value_store::<String, u64>"
/// );
/// # streams.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No task of this instance can answer for the store: the store is restoring, or is on another instance.
    #[error(
        "no running task of this instance can answer for store '{0}': query again when it is restored, or query the \
         instance that has it (Streams::query_metadata_for_key)"
    )]
    NotHere(String),
    /// The topology has no such store.
    #[error("the topology has no store '{0}': Topology::stores has the names of its stores")]
    UnknownStore(String),
    /// The store is of another kind, or has keys or values of other types.
    #[error(transparent)]
    WrongStoreTypes(#[from] WrongStoreTypes),
    /// The application's threads have ended.
    #[error("the application is not running")]
    NotRunning,
    /// The caller is a stream thread of the same application. This thread would have to answer its own query.
    #[error(
        "a stream thread of the application queried store '{0}' and would wait for itself: use the stores \
         that a processor is connected to, or query from another thread"
    )]
    FromWithin(String),
    /// A thread did not answer in time.
    #[error(
        "no answer from store '{store}' within {waited:?}: its thread is busy with a record, or waits for the log. \
         Query again, or raise query_timeout"
    )]
    TimedOut {
        /// The store.
        store: String,
        /// How long the query waited.
        waited: Duration,
    },
    /// The key cannot be encoded.
    #[error(transparent)]
    Key(#[from] CodecError),
    /// The store could not be read, or holds bytes that cannot be decoded.
    #[error(transparent)]
    Store(#[from] StoreError),
}
