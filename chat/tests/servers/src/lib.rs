//! Local stand-ins for the chats of streaming platforms, for tests and demos.
//!
//! Each server speaks a platform's protocol on a free port of this machine. Lines that are posted to it go out to the
//! readers, and its log says what was sent. A [`Schedule`] says which faults strike: connections that break off in the
//! middle of a message, refusals, rate limits, messages that come twice, history that is told again, clocks that are
//! wrong, tokens that expire. A fault is a function of the seed and of the number of the request, so that a run can be
//! repeated.
//!
//! ```
//! use tidemill_chat_servers::{GenericServer, Rates, Schedule, crowd};
//!
//! let server = GenericServer::start(Schedule {
//!     seed: 7,
//!     rates: Rates { unavailable: 0.1, cut: 0.1, ..Rates::default() },
//!     ..Schedule::default()
//! });
//! server.post(crowd(7, 100, 1_767_225_600_000));
//! server.end();
//! let url = server.polled();
//! // … give `url` to the reader under test …
//! # let _ = url;
//! assert!(server.log().sent.is_empty());
//! ```

mod crowd;
mod draw;
mod fuse;
mod generic;
mod hall;
mod house;
mod log;
mod moment;
mod schedule;
mod twitch;
mod youtube;

pub use crowd::{Kind, Line, crowd};
pub use generic::GenericServer;
pub use log::{Log, Sent};
pub use schedule::{Fault, Rates, Schedule};
pub use twitch::TwitchServer;
pub use youtube::{Broadcast, YoutubeServer};
