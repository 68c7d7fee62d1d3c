//! Access rights: who sends a request, what the sender may do, and how much.

mod host;
mod rate;
mod tokens;
mod visitor;

pub(super) use tokens::Access;
pub(super) use visitor::Visitor;
