//! Live sources: streams whose chat connectors read until the stream ends.
//!
//! A source is a record of a compacted topic. The instance that owns the record's partition runs the source's
//! connection. It writes the chat together with the connection's position in one transaction, so that another owner goes
//! on where this one stopped.
//!
//! ```text
//!  live-sources ────────▶ View ──▶ Partition ──▶ Connection (one for each running source)
//!  live-sources-positions ─▲ │        │  ▲            │
//!                          │ └ pages  │  └─ events ───┘  waits until they are on the log
//!  consumer group ─▶ Owner ─┼────▶ starts and stops
//!                           └──── Writer: chat, withdrawals and positions in one transaction
//! ```

mod source;

mod progress;

mod guard;
mod name;
mod platforms;

mod view;

mod events;
mod writer;

mod connection;
mod partition;

mod owner;

mod running;

pub use guard::Guard;
pub use name::names;
pub use partition::Gate;
pub use platforms::{Keys, Platforms};
pub use progress::{ChatState, Progress};
pub use running::{Running, Setup};
pub use source::{GROUP, LiveSource, POSITIONS, SOURCES, Wished, topics};
pub use view::{Seen, View};
