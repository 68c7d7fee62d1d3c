//! The DSL: the steps that users write. Each step adds a node to the graph; nothing runs yet.

mod builder;
mod cogroup;
mod consumed;
mod erase;
mod grouped;
mod grouped_table;
mod late;
mod map_async;
mod options;
mod produced;
mod session_rows;
mod session_windowed;
mod sources;
mod split;
mod stream;
mod stream_join;
mod stream_joined;
mod table;
mod window_rows;
mod windowed;
mod windowed_by;

pub use builder::StreamsBuilder;
pub use cogroup::{CogroupedKStream, CogroupedWindows, TimeWindowedCogroupedKStream};
pub use consumed::Consumed;
pub use grouped::KGroupedStream;
pub use grouped_table::KGroupedTable;
pub use options::{Materialized, Repartitioned};
pub use produced::Produced;
pub use session_windowed::SessionWindowedKStream;
pub use split::SplitStream;
pub use stream::KStream;
pub use stream_joined::StreamJoined;
pub use table::KTable;
pub(crate) use table::TableView;
pub use windowed::TimeWindowedKStream;
pub use windowed_by::Windows;
