//! Results that go out: read from the log once, and passed to every page that follows them.

mod events;
mod hub;
mod place;

pub(super) use events::{Options, Results, late_of_owner, of_owner};
pub(super) use hub::Hub;
