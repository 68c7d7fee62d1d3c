//! Results that go out: read from the log once, and passed to every page that follows them.

mod events;
mod hub;

pub(in crate::server) use events::{Options, of_owner};
pub(in crate::server) use hub::Hub;
