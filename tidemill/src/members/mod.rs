//! An instance's knowledge of the other instances: their records on the members topic, and what follows from them.

mod member;
mod placement;
mod roster;

pub(crate) use member::Member;
pub(crate) use placement::standbys_of;
pub(crate) use roster::Roster;
