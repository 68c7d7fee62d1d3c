//! What each trait promises.

pub(crate) mod admin;
pub(crate) mod reader;

mod on_its_way;
pub(crate) mod producer;
pub(crate) mod transactions;

pub(crate) mod consumer;
pub(crate) mod dead_letters;
pub(crate) mod groups;
