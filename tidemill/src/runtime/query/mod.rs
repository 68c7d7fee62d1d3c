//! Interactive queries: a thread answers between two turns, from stores with their caches flushed.
//!
//! It hands over bytes, a piece at a time; whoever asked decodes them and comes back for more. So no query keeps a
//! thread from its records for long, and no code of a user runs where it could wait for itself.

mod asked;
mod key_value;
mod line;
mod piece;
mod window;

use std::time::Duration;

use thiserror::Error;
use tidemill_state::{CodecError, StoreError};

pub(super) use self::{
    asked::Asked,
    line::{Bell, Job, Line},
};
pub use self::{key_value::KeyValueQuery, window::WindowQuery};

/// Why a query has no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No task of this instance that may answer has the store: it does not exist, restores, or lives on another
    /// instance.
    #[error("no running task of this instance has a store '{0}' of that kind")]
    NotHere(String),
    /// The topology has no such store.
    #[error("the topology has no store '{0}'")]
    UnknownStore(String),
    /// The threads have ended.
    #[error("the application is not running")]
    NotRunning,
    /// It was asked on a stream thread of the same application, which would have to answer it.
    #[error(
        "store '{0}' was queried on a stream thread of its own application, which would wait for itself: use the stores \
         that a processor is connected to, or query from another thread"
    )]
    FromWithin(String),
    /// A thread did not answer in time.
    #[error(
        "no answer about store '{store}' within {waited:?}: its thread is busy with a record, or waits for the log. Ask \
         again, or raise query_timeout"
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
    /// The store could not be read, or holds something that does not decode.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn undecodable(store: &str, source: CodecError) -> QueryError {
    StoreError::Codec { store: store.to_owned(), source }.into()
}
