//! Access rights: who sends a request, what the sender may do, and how much.

mod guesses;
mod host;
mod rate;
mod share;
mod tokens;
mod visitor;

pub(super) use tokens::{Access, PROTOCOL, Peer, bearer};
pub(super) use visitor::Visitor;
