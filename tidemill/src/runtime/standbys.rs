//! The tasks of an instance, shared by its threads: the tasks that run here, and the standbys kept here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tidemill_state::StoreError;

use super::{
    ThreadStatus,
    status::{TaskState, TaskStatus, store_statuses},
};
use crate::{
    error::TaskError,
    operators::StoreHandle,
    plan::{Plan, TaskId},
    task::{ChangelogBounds, Followed, PortableStores, StandbyTask, StoreSupplier, TaskStores},
    transport::{ConsumedRecord, Offset, TopicPartition, Watermarks},
};

/// Shared by the stream threads, which claim and give back tasks, and the member thread, which keeps the standbys.
///
/// The lock is held while one batch is applied or one task's stores are opened. It is never held during a request to
/// the log.
#[derive(Default)]
pub(crate) struct Standbys {
    shared: Mutex<InstanceTasks>,
}

#[derive(Default)]
struct InstanceTasks {
    /// Tasks that a stream thread has or waits for, with the thread's name. Two threads of an instance may claim the
    /// same task, while the first thread does not know yet that it lost the task.
    claims: BTreeSet<(TaskId, Arc<str>)>,
    warm: BTreeMap<TaskId, Warm>,
    /// How many standbys have started to follow their changelogs.
    begun: u64,
}

/// A standby's position in a changelog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StandbyPosition {
    /// The standby's number. A standby that is closed and opened again gets a new number, because its position may
    /// differ.
    pub(super) standby: u64,
    pub(super) next: Offset,
}

/// Stores that no stream thread uses.
enum Warm {
    /// Not following. The stores are as their last user left them.
    Resting(PortableStores),
    /// A standby that follows the changelogs.
    Following { task: StandbyTask, number: u64 },
}

impl Warm {
    fn stores(&mut self) -> &mut PortableStores {
        match self {
            Self::Resting(stores) => stores,
            Self::Following { task, .. } => task.stores(),
        }
    }
}

impl Standbys {
    fn lock(&self) -> MutexGuard<'_, InstanceTasks> {
        self.shared.lock().unwrap_or_else(|poisoned| {
            // A thread that panicked may have left a store half-used. The stores are opened again from where they are
            // kept.
            self.shared.clear_poison();
            let mut shared = PoisonError::into_inner(poisoned);
            shared.warm.clear();
            shared
        })
    }

    /// A stream thread has a task, or waits for its stores, so this instance keeps no standby of it from now on.
    /// Returns the standby's stores, if there was a standby, and the changelogs that it followed.
    pub(super) fn claim(&self, task: TaskId, thread: &str) -> Option<(TaskStores, Vec<Followed>)> {
        let mut shared = self.lock();
        shared.claims.insert((task, thread.into()));
        let (stores, followed) = match shared.warm.remove(&task)? {
            Warm::Resting(stores) => (stores, Vec::new()),
            Warm::Following { task, .. } => task.into_parts(),
        };
        Some((stores.unpack(), followed))
    }

    /// A stream thread no longer has a task.
    pub(super) fn unclaim(&self, task: TaskId, thread: &str) {
        self.lock().claims.remove(&(task, thread.into()));
    }

    /// A stream thread no longer has any task.
    pub(super) fn unclaim_all(&self, thread: &str) {
        self.lock().claims.retain(|(_, owner)| **owner != *thread);
    }

    /// Keeps the stores of a task that moves, unchanged, until the placement of its standbys is known.
    pub(super) fn rest(&self, stores: TaskStores) {
        let Some(stores) = PortableStores::pack(stores) else { return };
        self.lock().warm.insert(stores.task, Warm::Resting(stores));
    }

    /// The tasks that stream threads of this instance have.
    pub(crate) fn claimed(&self) -> BTreeSet<TaskId> {
        self.lock().claims.iter().map(|(task, _)| *task).collect()
    }

    /// The standbys here, each with its lag in changelog offsets.
    pub(crate) fn lags(&self) -> BTreeMap<TaskId, i64> {
        let shared = self.lock();
        let lags = shared.warm.iter().filter_map(|(id, warm)| match warm {
            Warm::Following { task, .. } => Some((*id, task.lag())),
            Warm::Resting(_) => None,
        });
        lags.collect()
    }

    /// Closes the standbys that this instance should not keep.
    pub(super) fn close_unless(&self, keeps: impl Fn(TaskId) -> bool) {
        let closed: Vec<_> = self.lock().warm.extract_if(.., |id, _| !keeps(*id)).collect();
        for (task, _) in closed {
            tracing::debug!(%task, "standby closed");
        }
    }

    /// Closes a standby's stores, and sets a corrupted store aside.
    pub(super) fn close_failed(&self, plan: &Plan, supplier: &dyn StoreSupplier, task: TaskId, error: &TaskError) {
        tracing::warn!(%task, error = %error.chain(), "the standby failed: closing it, to be opened again later");
        let mut shared = self.lock();
        shared.warm.remove(&task);
        if let TaskError::Corrupted { store, .. } = error
            && let Some(spec) = plan.graph().stores.get(store)
            && let Err(error) = supplier.quarantine(task, spec)
        {
            tracing::warn!(%task, %store, %error, "the corrupted store cannot be set aside");
        }
    }

    /// Opens a task's stores, unless a stream thread has or wants them. Returns the task's changelogs if its standby
    /// does not follow them yet.
    pub(super) fn open(
        &self,
        plan: &Plan,
        supplier: &dyn StoreSupplier,
        task: TaskId,
    ) -> Result<Option<Vec<TopicPartition>>, TaskError> {
        let mut shared = self.lock();
        if shared.claims.iter().any(|(claimed, _)| *claimed == task) {
            return Ok(None);
        }
        if !shared.warm.contains_key(&task) {
            let stores = match TaskStores::open(plan, task, supplier) {
                // A stream thread that does not know yet that it lost the task still has the stores open.
                Err(TaskError::State { source: StoreError::Locked { .. }, .. }) => return Ok(None),
                opened => PortableStores::pack(opened?),
            };
            shared.warm.extend(stores.map(|stores| (task, Warm::Resting(stores))));
        }
        Ok(match shared.warm.get(&task) {
            Some(Warm::Resting(stores)) => Some(stores.changelogs().cloned().collect()),
            Some(Warm::Following { .. }) | None => None,
        })
    }

    /// Lets resting stores follow their changelogs as a standby.
    pub(super) fn follow(&self, task: TaskId, bounds: &ChangelogBounds, wall_ms: i64) -> Result<(), TaskError> {
        let mut shared = self.lock();
        match shared.warm.remove(&task) {
            Some(Warm::Resting(stores)) => {
                let standby = StandbyTask::begin(stores, bounds, wall_ms)?;
                tracing::info!(%task, lag = standby.lag(), "keeping a standby");
                shared.begun += 1;
                let number = shared.begun;
                shared.warm.insert(task, Warm::Following { task: standby, number });
            }
            following => shared.warm.extend(following.map(|following| (task, following))),
        }
        Ok(())
    }

    /// The position of each changelog that a standby follows.
    pub(super) fn positions(&self) -> BTreeMap<TopicPartition, StandbyPosition> {
        self.following(|task, standby| {
            let position =
                |(changelog, next): (&TopicPartition, Offset)| (changelog.clone(), StandbyPosition { standby, next });
            task.positions().map(position).collect::<Vec<_>>()
        })
    }

    /// Changelogs that held more than their stores at the last look.
    pub(super) fn behind(&self) -> BTreeSet<TopicPartition> {
        self.following(|task, _| task.behind().cloned().collect::<Vec<_>>())
    }

    fn following<R, I: IntoIterator<Item = R>, C: FromIterator<R>>(&self, read: impl Fn(&StandbyTask, u64) -> I) -> C {
        let shared = self.lock();
        let tasks = shared.warm.values().filter_map(|warm| match warm {
            Warm::Following { task, number } => Some((task, *number)),
            Warm::Resting(_) => None,
        });
        tasks.flat_map(|(task, number)| read(task, number)).collect()
    }

    /// Works on the standby that follows a changelog. An error comes with the task's id; the caller must close the
    /// standby.
    fn with_follower<R>(
        &self,
        changelog: &TopicPartition,
        work: impl FnOnce(&mut StandbyTask) -> Result<R, TaskError>,
    ) -> Result<Option<R>, (TaskId, TaskError)> {
        let mut shared = self.lock();
        let follows = |task: &StandbyTask| task.positions().any(|(followed, _)| followed == changelog);
        let found = shared.warm.values_mut().find_map(|warm| match warm {
            Warm::Following { task, .. } if follows(task) => Some(task),
            _ => None,
        });
        // A stream thread may have taken the stores in the meantime. Then there is nothing to do here.
        let Some(task) = found else { return Ok(None) };
        let id = task.id();
        work(task).map(Some).map_err(|error| (id, error))
    }

    /// Applies records of a changelog to the standby that follows it. `true` if its store had to begin again from empty.
    pub(super) fn apply(
        &self,
        changelog: &TopicPartition,
        records: Vec<ConsumedRecord>,
    ) -> Result<bool, (TaskId, TaskError)> {
        Ok(self.with_follower(changelog, |task| task.apply(changelog, records))?.unwrap_or(false))
    }

    pub(super) fn reach(&self, changelog: &TopicPartition, position: Offset) -> Result<(), (TaskId, TaskError)> {
        self.with_follower(changelog, |task| task.reach(changelog, position)).map(drop)
    }

    /// Tells a standby the current bounds of its changelog. `true` if its store had to begin again from empty.
    pub(super) fn look(
        &self,
        changelog: &TopicPartition,
        bounds: Watermarks,
        wall_ms: i64,
    ) -> Result<bool, (TaskId, TaskError)> {
        Ok(self.with_follower(changelog, |task| task.look(changelog, bounds, wall_ms))?.unwrap_or(false))
    }

    /// Starts to flush the standbys whose changes have waited for `wait_ms`. Each error comes with the task's id; the
    /// caller must close the standby.
    pub(super) fn flush_waiting(&self, now_ms: i64, wait_ms: i64) -> Vec<(TaskId, TaskError)> {
        let mut shared = self.lock();
        let flushed = shared.warm.iter_mut().filter_map(|(id, warm)| match warm {
            Warm::Following { task, .. } => Some((*id, task.flush_waiting(now_ms, wait_ms).err()?)),
            Warm::Resting(_) => None,
        });
        flushed.collect()
    }

    /// Reads the standbys' stores of a name, one store at a time. A stream thread that wants a task then need not wait
    /// for all of them.
    pub(crate) fn read<R>(
        &self,
        store: &str,
        partition: Option<i32>,
        read: impl Fn(&StoreHandle) -> Option<R>,
    ) -> Vec<R> {
        let wanted = |id: &&TaskId| partition.is_none_or(|partition| partition == id.partition);
        let tasks: Vec<_> = self.lock().warm.keys().filter(wanted).copied().collect();
        let read_of = |task| match self.lock().warm.get_mut(&task)? {
            Warm::Following { task, .. } => {
                let stores = Some(task.stores()).filter(|stores| stores.has(store))?;
                stores.with(|stores| stores.handles.get(store).and_then(&read))
            }
            // Resting stores follow no changelog, so their data is too old.
            Warm::Resting(_) => None,
        };
        tasks.into_iter().filter_map(read_of).collect()
    }

    /// Calls `look` for the stores of each standby.
    pub(crate) fn each(&self, mut look: impl FnMut(&TaskStores)) {
        for warm in self.lock().warm.values_mut() {
            if let Warm::Following { task, .. } = warm {
                task.stores().with(&mut look);
            }
        }
    }

    /// The standbys here, in the form of a thread's status; `None` if there are none.
    pub(crate) fn report(&self, name: String) -> Option<ThreadStatus> {
        let mut shared = self.lock();
        let tasks = shared.warm.iter_mut().filter_map(|(id, warm)| match warm {
            Warm::Resting(_) => None,
            Warm::Following { task, .. } => {
                let state = TaskState::Standby { lag: task.lag() };
                let stores = task.stores().with(store_statuses);
                Some(TaskStatus { id: *id, state, stores, ..TaskStatus::default() })
            }
        });
        let tasks: Vec<_> = tasks.collect();
        (!tasks.is_empty()).then(|| ThreadStatus { name, tasks, ..ThreadStatus::default() })
    }

    /// Flushes all stores to disk and closes them.
    pub(super) fn close(&self) {
        for (task, mut warm) in std::mem::take(&mut self.lock().warm) {
            if let Err(error) = warm.stores().with(TaskStores::flush) {
                tracing::warn!(%task, error = %error.chain(), "the standby could not be flushed");
            }
        }
    }
}
