//! Every call, and what it cost.

mod bill;
mod book;
mod call;

pub use bill::{Bill, Sum};
pub(crate) use book::Book;
pub use call::{Call, Outcome};
