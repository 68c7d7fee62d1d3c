//! The clients of the embedded log.

pub(super) mod admin;
pub(super) mod consumer;
pub(super) mod fetch;
pub(super) mod holdings;
pub(super) mod offsets;
pub(super) mod outbox;
pub(super) mod producer;
pub(super) mod reader;
pub(super) mod transactions;
