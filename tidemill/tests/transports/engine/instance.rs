//! Instances of the application, inside the test.

use std::{path::Path, sync::Arc};

use tidemill::{Streams, StreamsConfig, SystemClock, TaskState};

use super::{
    input::PARTITIONS,
    topology::{self, INPUTS, Look, OUTPUTS, topology},
};
use crate::{Site, Tested, wait_for};

/// Tasks of all instances: two subtopologies.
pub(crate) const TASKS: usize = 2 * PARTITIONS as usize;

pub(crate) fn create_topics(site: &Site) -> Tested {
    INPUTS.iter().chain(&OUTPUTS).try_for_each(|topic| site.create(topic, PARTITIONS))
}

pub(crate) fn undisturbed() -> Look {
    Arc::new(|_| {})
}

pub(crate) fn config(site: &Site, client_id: &str) -> StreamsConfig {
    topology::config(site.named("app"), client_id)
}

pub(crate) fn start(site: &Site, config: StreamsConfig, look: Look) -> Tested<Streams> {
    let topology = topology(|name| site.named(name), look)?;
    Ok(Streams::start_with_clock(&topology, config, site.transport.clone(), Arc::new(SystemClock))?)
}

/// A folder for stores, where there is a store that uses one.
pub(crate) fn with_state(config: StreamsConfig, state: &Path) -> StreamsConfig {
    let state_dir = cfg!(feature = "rocksdb").then(|| state.to_owned());
    StreamsConfig { state_dir, ..config }
}

/// Waits until the instances run so many tasks each.
pub(crate) fn until_they_run(instances: &[&Streams], tasks: &[usize]) -> Tested {
    let running = |streams: &&Streams| {
        let tasks = streams.status().into_iter().flat_map(|thread| thread.tasks);
        tasks.filter(|task| task.state == TaskState::Running).count()
    };
    let mut found = Vec::new();
    let reached = wait_for(&format!("{tasks:?} tasks run"), || {
        found = instances.iter().map(running).collect();
        Ok((found == tasks).then_some(()))
    });
    reached.map_err(|error| {
        format!(
            "{error}, but {found:?}: {:#?}",
            instances.iter().map(|one| (one.state(), one.status())).collect::<Vec<_>>()
        )
        .into()
    })
}
