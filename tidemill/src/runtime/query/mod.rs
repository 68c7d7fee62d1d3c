//! Interactive queries: a stream thread answers between two turns, from stores whose caches it has flushed.
//!
//! The thread returns bytes, one piece at a time. The caller decodes them and asks for the next piece. So a query does
//! not block the thread for long, and the thread runs no user code that could wait for the thread itself.

mod key_value;
mod line;
mod piece;
mod target;
mod window;

use std::time::Duration;

use thiserror::Error;
use tidemill_state::{CodecError, StoreError};

pub use self::{key_value::KeyValueQuery, window::WindowQuery};
pub(super) use self::{
    line::{Bell, Line, StoreQuery},
    target::QueryTarget,
};

/// The reason why a query failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No task of this instance can answer for the store: the store does not exist, is restoring, or is on another
    /// instance.
    #[error("no running task of this instance has a store '{0}' of the requested kind")]
    NotHere(String),
    /// The topology has no such store.
    #[error("the topology has no store '{0}'")]
    UnknownStore(String),
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

fn undecodable(store: &str, source: CodecError) -> QueryError {
    StoreError::Codec { store: store.to_owned(), source }.into()
}
