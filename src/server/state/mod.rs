//! The state of the applications, as HTTP shows it: tasks, stores, owners, and values of all instances.

mod inspect;
mod peers;

pub(in crate::server) use inspect::{Page, health, list_stores, metrics, overview, owners, ready, tasks};
pub(in crate::server) use peers::{PATIENCE, key};
