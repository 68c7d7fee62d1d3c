//! The live chat of streaming platforms: a URL goes in, chat events come out until the stream ends.
//!
//! A [`Platform`] opens the chat of a [`Source`] and returns a [`Connection`]. [`Supervised`] keeps a connection for as
//! long as the stream lives: it reconnects with back-off, never tells a message twice, and tells the state of the chat.
//! This crate knows nothing of Kafka or of the applications.

mod clock;
mod error;
mod event;
pub mod field;
pub mod generic;
pub mod guide;
mod net;
mod platform;
mod pump;
mod seen;
mod supervised;
pub mod twitch;
pub mod youtube;

pub use clock::{Clock, SystemClock};
pub use error::ChatError;
pub use event::{Batch, ChatEvent, Message, Position};
pub use generic::Generic;
pub use net::Reach;
pub use platform::{Connection, Platform, Source};
pub use pump::{Outlet, Pump};
pub use supervised::{State, Supervised, Supervision, Told};
pub use twitch::{Twitch, TwitchServers};
pub use youtube::Youtube;

/// Parts of the trait's signatures, so that a platform needs no other crate.
pub use futures_util::future::BoxFuture;
/// Keys and tokens of platforms.
pub use tidemill_remote::{Secret, SecretError};
/// Money and memberships of messages, as the applications store them.
pub use tidemill_schemas::{Amount, Membership, MembershipKind};
/// The address of a source.
pub use url::Url;
