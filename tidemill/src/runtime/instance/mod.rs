//! An application as its program holds it: start, threads, states, queries, and where keys are.

mod metadata;
mod streams;
mod threads;

pub use metadata::{HostInfo, KeyQueryMetadata, StreamsMetadata};
pub use streams::{Streams, StreamsState};
