//! What the threads of an instance share about tasks: which of them run here, and which are kept warm for others.

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
    task::{Followed, PortableStores, StandbyTask, StoreSupplier, TaskStores, Watermarks},
    transport::{ConsumedRecord, Offset, TopicPartition},
};

/// Shared by stream threads, which claim and give back tasks, and the member thread, which keeps others' tasks warm.
///
/// The lock is held while one batch is applied or one task's stores are opened; never while the log is asked.
#[derive(Default)]
pub(crate) struct Standbys {
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Tasks that a stream thread has or waits for, with its name. Two threads of an instance may claim one, while the
    /// first does not know yet that it lost it.
    claims: BTreeSet<(TaskId, Arc<str>)>,
    warm: BTreeMap<TaskId, Warm>,
    /// How many standbys began to follow.
    begun: u64,
}

/// Where a standby goes on in a changelog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Which standby: one that was closed and opened again is another, and may go on elsewhere.
    pub(super) standby: u64,
    pub(super) next: Offset,
}

/// Stores that no stream thread uses.
enum Warm {
    /// As somebody left them.
    Resting(PortableStores),
    /// Following their changelogs.
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
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(|poisoned| {
            // Whoever panicked may have left a store half-used: it is found again where it is kept.
            self.shared.clear_poison();
            let mut shared = PoisonError::into_inner(poisoned);
            shared.warm.clear();
            shared
        })
    }

    /// A stream thread has a task, or waits for its stores: nobody keeps it warm here from now on. Returns the stores
    /// if somebody did, with what they followed.
    pub(super) fn claim(&self, task: TaskId, thread: &str) -> Option<(TaskStores, Vec<Followed>)> {
        let mut shared = self.lock();
        shared.claims.insert((task, thread.into()));
        let (stores, followed) = match shared.warm.remove(&task)? {
            Warm::Resting(stores) => (stores, Vec::new()),
            Warm::Following { task, .. } => task.into_parts(),
        };
        Some((stores.unpack(), followed))
    }

    /// A stream thread has a task no more.
    pub(super) fn unclaim(&self, task: TaskId, thread: &str) {
        self.lock().claims.remove(&(task, thread.into()));
    }

    /// A stream thread has nothing any more.
    pub(super) fn unclaim_all(&self, thread: &str) {
        self.lock().claims.retain(|(_, owner)| **owner != *thread);
    }

    /// Keeps the stores of a task that moves, as they are, until it is clear who keeps it warm.
    pub(super) fn rest(&self, stores: TaskStores) {
        let Some(stores) = PortableStores::pack(stores) else { return };
        self.lock().warm.insert(stores.task, Warm::Resting(stores));
    }

    /// Tasks that stream threads of this instance have.
    pub(crate) fn claimed(&self) -> BTreeSet<TaskId> {
        self.lock().claims.iter().map(|(task, _)| *task).collect()
    }

    /// Tasks that are kept warm here, with the changelog offsets that they are behind.
    pub(crate) fn lags(&self) -> BTreeMap<TaskId, i64> {
        let shared = self.lock();
        let lags = shared.warm.iter().filter_map(|(id, warm)| match warm {
            Warm::Following { task, .. } => Some((*id, task.lag())),
            Warm::Resting(_) => None,
        });
        lags.collect()
    }

    /// Closes what is kept warm here and should not be.
    pub(super) fn close_unless(&self, keeps: impl Fn(TaskId) -> bool) {
        let closed: Vec<_> = self.lock().warm.extract_if(.., |id, _| !keeps(*id)).collect();
        for (task, _) in closed {
            tracing::debug!(%task, "no standby here any more");
        }
    }

    /// Closes a task's stores; a corrupted one is set aside.
    pub(super) fn close_failed(&self, plan: &Plan, supplier: &dyn StoreSupplier, task: TaskId, error: &TaskError) {
        tracing::warn!(%task, error = %error.chain(), "a standby is closed, and opened again later");
        let mut shared = self.lock();
        shared.warm.remove(&task);
        if let TaskError::Corrupted { store, .. } = error
            && let Some(spec) = plan.graph().stores.get(store)
            && let Err(error) = supplier.quarantine(task, spec)
        {
            tracing::warn!(%task, %store, %error, "a corrupted store cannot be set aside");
        }
    }

    /// Opens a task's stores, unless a stream thread has or wants them. Returns the changelogs of one that does not
    /// follow them yet.
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
                // A stream thread that does not know yet that it lost them still has them open.
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

    /// Lets a task that rests follow its changelogs.
    pub(super) fn follow(&self, task: TaskId, watermarks: &Watermarks, wall_ms: i64) -> Result<(), TaskError> {
        let mut shared = self.lock();
        match shared.warm.remove(&task) {
            Some(Warm::Resting(stores)) => {
                let standby = StandbyTask::begin(stores, watermarks, wall_ms)?;
                tracing::info!(%task, lag = standby.lag(), "keeping a standby");
                shared.begun += 1;
                let number = shared.begun;
                shared.warm.insert(task, Warm::Following { task: standby, number });
            }
            following => shared.warm.extend(following.map(|following| (task, following))),
        }
        Ok(())
    }

    /// What to read next of each changelog that is followed.
    pub(super) fn places(&self) -> BTreeMap<TopicPartition, Place> {
        self.following(|task, standby| {
            let place = |(changelog, next): (&TopicPartition, Offset)| (changelog.clone(), Place { standby, next });
            task.positions().map(place).collect::<Vec<_>>()
        })
    }

    /// Changelogs that were seen to hold more than their stores.
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

    /// Does something with the task that follows a changelog. An error comes with the task, which is to be closed.
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
        // One that a stream thread took meanwhile needs nothing more from here.
        let Some(task) = found else { return Ok(None) };
        let id = task.id();
        work(task).map(Some).map_err(|error| (id, error))
    }

    pub(super) fn apply(
        &self,
        changelog: &TopicPartition,
        records: Vec<ConsumedRecord>,
    ) -> Result<(), (TaskId, TaskError)> {
        self.with_follower(changelog, |task| task.apply(changelog, records)).map(drop)
    }

    pub(super) fn reach(&self, changelog: &TopicPartition, position: Offset) -> Result<(), (TaskId, TaskError)> {
        self.with_follower(changelog, |task| task.reach(changelog, position)).map(drop)
    }

    /// Somebody looked where a changelog begins and ends. `true` if its store had to begin anew.
    pub(super) fn look(
        &self,
        changelog: &TopicPartition,
        watermarks: (Offset, Offset),
        wall_ms: i64,
    ) -> Result<bool, (TaskId, TaskError)> {
        Ok(self.with_follower(changelog, |task| task.look(changelog, watermarks, wall_ms))?.unwrap_or(false))
    }

    /// Begins to make standbys durable where what they follow has waited for that for so long. Errors come with the
    /// tasks, which are to be closed.
    pub(super) fn flush_waiting(&self, now_ms: i64, wait_ms: i64) -> Vec<(TaskId, TaskError)> {
        let mut shared = self.lock();
        let flushed = shared.warm.iter_mut().filter_map(|(id, warm)| match warm {
            Warm::Following { task, .. } => Some((*id, task.flush_waiting(now_ms, wait_ms).err()?)),
            Warm::Resting(_) => None,
        });
        flushed.collect()
    }

    /// Reads stores of a name that are kept warm here, one at a time: a stream thread that wants a task does not wait for
    /// all of them.
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
            // What nobody follows gets older and older.
            Warm::Resting(_) => None,
        };
        tasks.into_iter().filter_map(read_of).collect()
    }

    /// Looks at all stores that follow their changelogs here.
    pub(crate) fn each(&self, mut look: impl FnMut(&TaskStores)) {
        for warm in self.lock().warm.values_mut() {
            if let Warm::Following { task, .. } = warm {
                task.stores().with(&mut look);
            }
        }
    }

    /// The tasks that are kept warm here, as if they were those of a thread; `None` if there are none.
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

    /// Makes what is kept warm survive a crash, and closes it.
    pub(super) fn close(&self) {
        for (task, mut warm) in std::mem::take(&mut self.lock().warm) {
            if let Err(error) = warm.stores().with(TaskStores::flush) {
                tracing::warn!(%task, error = %error.chain(), "a standby was not flushed");
            }
        }
    }
}
