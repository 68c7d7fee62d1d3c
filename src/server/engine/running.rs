//! A running application, and what it reports.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use tidemill::{CallExecutorHandle, CallSnapshot, StoreKind, Streams, TaskId, TaskState, Topology};

use crate::apps::App;

/// An application was asked for that does not run here.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct NotRunning(pub(in crate::server) App);

/// A running application, with its executor if it calls an analyst.
pub(in crate::server) struct RunningApp {
    pub(in crate::server) app: App,
    pub(in crate::server) streams: Streams,
    pub(in crate::server) topology: Topology,
    pub(super) executor: Mutex<Option<CallExecutorHandle>>,
}

impl RunningApp {
    /// The application's executor at about this moment. Without an executor, all of it is empty.
    pub(in crate::server) fn calls(&self) -> CallSnapshot {
        let executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        executor.as_ref().map_or_else(CallSnapshot::default, CallExecutorHandle::snapshot)
    }

    /// Whether the executor of the application's calls waits to be opened again.
    pub(in crate::server) fn calls_have_failed(&self) -> bool {
        let executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        executor.as_ref().is_some_and(CallExecutorHandle::has_failed)
    }

    /// Stores whose keys are ids, by name: all but the internal stores of calls and times.
    pub(in crate::server) fn stores(&self) -> BTreeMap<String, StoreKind> {
        let is_own = |name: &str| ["-pending", "-times"].iter().any(|kind| name.ends_with(kind));
        let specs = self.topology.stores().filter(|store| !is_own(&store.name));
        specs.map(|store| (store.name.to_string(), store.kind)).collect()
    }

    /// The number of running tasks here, and of tasks that should run here: those that no other instance has.
    pub(in crate::server) fn progress(&self) -> (usize, usize) {
        let status = self.streams.status();
        let running = status.iter().flat_map(|thread| &thread.tasks).filter(|task| task.state == TaskState::Running);
        let members = self.streams.metadata();
        let others = members.iter().filter(|member| !member.host.is_here);
        let elsewhere: BTreeSet<TaskId> = others.flat_map(|member| member.active_tasks.iter().copied()).collect();
        let here = self.streams.plan().tasks().into_iter().filter(|task| !elsewhere.contains(task));
        (running.count(), here.count())
    }
}
