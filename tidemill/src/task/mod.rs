//! Tasks are synchronous and deterministic: records and time go in, effects come out.

mod active;
mod commit;
mod expiry;
mod followed;
mod global;
mod idle_clock;
mod left_out;
mod noting;
mod operating;
mod partition_group;
mod portable;
mod punctuation;
mod purge;
mod purge_by_key;
mod purges;
mod restore;
mod sealed;
mod session_order;
mod settings;
mod silence;
mod standby;
mod storage;
mod stores;
mod strays;
mod written_by;

pub(crate) use active::ActiveTask;
pub(crate) use commit::TaskCommit;
pub(crate) use followed::Followed;
pub(crate) use global::{GlobalInput, GlobalTask};
pub(crate) use partition_group::{Learnt, Waiting};
pub(crate) use portable::PortableStores;
pub(crate) use restore::{StoreRestore, changelog_bounds};
pub(crate) use settings::TaskSettings;
pub(crate) use silence::Rest;
pub(crate) use standby::{ChangelogBounds, StandbyTask};
#[cfg(feature = "rocksdb")]
pub(crate) use storage::DiskStores;
pub(crate) use storage::{MemoryStores, StoreSupplier};
pub(crate) use stores::TaskStores;
pub(crate) use strays::Unanswered;
