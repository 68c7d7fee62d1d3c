//! What an instance knows of the others: what each says of itself on the members topic, and what follows from it.

mod member;
mod placement;
mod roster;

pub(crate) use member::Member;
pub(crate) use placement::standbys_of;
pub(crate) use roster::Roster;
