//! Results that go out: read from the log once, and passed to every page that follows them; and views of them.

mod events;
mod follower;
mod hub;
mod place;
mod stored;
mod views;

pub(super) use events::{late_of_owner, of_owner};
pub(super) use follower::{Followed, Follower, Options, Results};
pub(super) use hub::Hub;
pub(super) use views::{LEFT_OUT, Views, question, view_of_owner};
