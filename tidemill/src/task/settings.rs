//! The part of the configuration that a task needs.

use std::{collections::HashMap, sync::Arc};

use crate::{
    config::StreamsConfig,
    handlers::RecordHandler,
    operators::{Application, GlobalStores, Limits, Rules},
    plan::{Plan, TaskId},
};

/// The most bytes of cached aggregates that survive a commit. Others are read back from their store.
const CACHE_MAX_BYTES: usize = 32 << 20;

/// The part of the configuration that a task needs.
#[derive(Clone)]
pub(crate) struct TaskSettings {
    pub(crate) plan: Arc<Plan>,
    pub(super) application: Arc<Application>,
    pub(crate) deserialization: RecordHandler,
    pub(crate) processing: RecordHandler,
    pub(crate) production: RecordHandler,
    /// Uncommitted bytes at which a thread commits early, and cached bytes that survive a commit in one operator.
    pub(crate) uncommitted_max_bytes: usize,
    pub(crate) cache_max_bytes: usize,
    /// Partition counts of dead-letter topics.
    pub(crate) dead_letter_partitions: HashMap<String, i32>,
    /// What the topics take that the application writes.
    pub(crate) limits: Arc<Limits>,
    pub(crate) globals: Arc<GlobalStores>,
}

impl TaskSettings {
    pub(crate) fn new(
        plan: Arc<Plan>,
        config: &StreamsConfig,
        dead_letter_partitions: HashMap<String, i32>,
        limits: Limits,
    ) -> Self {
        let uncommitted_max_bytes = config.max_uncommitted_bytes;
        let globals = Arc::new(GlobalStores::new(plan.graph().globals.keys().cloned()));
        let (id, settings) = (config.application_id.clone(), config.application_settings.clone());
        Self {
            plan,
            application: Arc::new(Application { id, settings }),
            deserialization: config.deserialization_handler.clone(),
            processing: config.processing_handler.clone(),
            production: config.production_handler.clone(),
            uncommitted_max_bytes,
            cache_max_bytes: uncommitted_max_bytes.min(CACHE_MAX_BYTES),
            dead_letter_partitions,
            limits: Arc::new(limits),
            globals,
        }
    }

    /// A copy for a new process, which has filled no global store.
    pub(crate) fn afresh(&self) -> Self {
        let globals = Arc::new(GlobalStores::new(self.plan.graph().globals.keys().cloned()));
        Self { globals, ..self.clone() }
    }

    /// The handlers of a task.
    pub(super) fn rules(&self, task: TaskId) -> Rules {
        let nodes = self.plan.graph().nodes.iter().map(|node| node.name.clone()).collect();
        let handlers = [&self.deserialization, &self.processing, &self.production].map(RecordHandler::clone);
        let [deserialization, processing, production] = handlers;
        Rules { task, nodes, deserialization, processing, production }
    }
}
