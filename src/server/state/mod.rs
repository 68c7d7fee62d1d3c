//! The state of the applications, as HTTP shows it: tasks, stores, owners, and values of all instances.

mod calls;
mod inspector;
mod key;
mod owners;
mod peers;
mod tasks;

pub(super) use calls::calls;
pub(super) use inspector::Inspector;
pub(super) use key::key;
pub(super) use owners::{Page, owners};
pub(super) use peers::PATIENCE;
pub(super) use tasks::{list_stores, overview, tasks};
