//! Live sources: streams whose chat connectors read, and whose speech is heard, until the stream ends.
//!
//! A source is a record of a compacted topic. The instance that owns the record's partition runs the source's
//! connection, and listens to its audio. It writes chat and speech together with their positions in one transaction, so
//! that another owner goes on where this one stopped.
//!
//! ```text
//!  live-sources ────────▶ View ──▶ Partition ──▶ Connection and Listening (for each running source)
//!  live-sources-positions ─▲ │        │  ▲            │
//!                          │ └ pages  │  └─ events ───┘  waits until they are on the log
//!  consumer group ─▶ Owner ─┼────▶ starts and stops
//!                           └──── Writer: chat, speech, withdrawals and positions in one transaction
//! ```

mod source;

mod heard;
mod progress;

mod gate;
mod guard;
mod media;
mod name;
mod platforms;

mod view;

mod inbox;

mod connection;
mod speech;

mod events;
mod fold;
mod shared;
mod writer;

mod started;

mod partition;

mod owner;

mod running;

pub use gate::Gate;
pub use guard::Guard;
pub use heard::{SpeechProgress, SpeechState};
pub use media::Media;
pub use name::names;
pub use platforms::{Keys, Platforms, YoutubeAccess};
pub use progress::{ChatState, Progress};
pub use running::{Running, Setup};
pub use source::{GROUP, LiveSource, POSITIONS, SOURCES, Wished, topics};
pub use speech::{CaptionsWanted, Hearing, Opening, RecogniserChoice, Sound, Speech, SpeechSettings};
pub use view::{Seen, View};
