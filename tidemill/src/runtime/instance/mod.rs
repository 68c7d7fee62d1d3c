//! An application's handle: it starts the threads and gives access to states, queries and the place of keys.

mod metadata;
mod streams;
mod threads;

pub use metadata::{HostInfo, KeyQueryMetadata, StreamsMetadata};
pub use streams::{Streams, StreamsState};
