//! What users write. Each step adds a node to the graph; nothing runs yet.

mod builder;
mod cogroup;
mod grouped;
mod join_windows;
mod map_async;
mod options;
mod split;
mod stream;
mod stream_join;
mod table;
mod window;
mod window_rows;
mod windowed;

pub use builder::StreamsBuilder;
pub use cogroup::{Cogrouped, CogroupedKStream, CogroupedWindows, JoinKind, TimeWindowedCogroupedKStream};
pub use grouped::KGroupedStream;
pub use join_windows::{JoinWindows, StreamJoined};
pub use options::{Consumed, Materialized, Produced, Repartitioned};
pub use split::SplitStream;
pub use stream::KStream;
pub use table::KTable;
pub use window::{EmitStrategy, TimeWindows, Window, Windowed, WindowedCodec};
pub use windowed::TimeWindowedKStream;
