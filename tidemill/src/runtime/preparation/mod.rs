//! The checks before the first thread starts: a valid configuration, existing topics, an unlocked state folder.

mod store_notes;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::Clock,
    config::{ProcessingGuarantee, StreamsConfig},
    error::{TopologyError, chain},
    graph::{NodeKind, TopicRef},
    members::{Member, Roster},
    operators::{Limits, TopicLimits},
    plan::{InternalTopic, Plan, TaskId, TopicLookup, lookup_failed},
    runtime::Standbys,
    task::{MemoryStores, StoreSupplier, TaskSettings},
    topology::Topology,
    transport::{Admin, Topic, Transport, TransportError},
};

/// An application that is ready to start: everything that its threads share.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) config: Arc<StreamsConfig>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) settings: TaskSettings,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stores: Arc<dyn StoreSupplier>,
    pub(crate) client_id: String,
    /// Identifies this instance, even if other instances have the same client id. It is part of transactional ids, and
    /// the instance's key on the members topic. A process that takes over a state folder keeps the previous process's
    /// id, and so fences that process.
    pub(crate) process_id: String,
    pub(crate) standbys: Arc<Standbys>,
    /// The newest plan that a thread has taken up.
    newest: Arc<Mutex<Arc<Plan>>>,
    roster: Arc<Mutex<Roster>>,
}

impl Prepared {
    /// Checks everything, reports all problems together, and creates the internal topics. Without a state folder, the
    /// client id is also the process id.
    pub(crate) fn new(
        topology: &Topology,
        config: StreamsConfig,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        client_id: String,
    ) -> Result<Self, TopologyError> {
        let mut problems = config.problems();
        if let Some(longest) = transport.transaction_timeout()
            && config.processing_guarantee == ProcessingGuarantee::ExactlyOnce
            && config.commit_interval >= longest
        {
            let interval = config.commit_interval;
            problems.push(format!(
                "commit_interval ({interval:?}) must be shorter than the log's transaction_timeout \
                 ({longest:?}): otherwise the log aborts every transaction"
            ));
        }
        let mut admin = transport.admin().map_err(|error| problem(&error))?;
        let plan = Plan::new(&config.application_id, topology);
        let resolved = plan.resolve_on(&mut OnLog(&mut *admin));
        let mut dead_letters = HashMap::new();
        for topic in config.dead_letter_topics() {
            match partitions(&mut *admin, topic) {
                Ok(Some(count)) => drop(dead_letters.insert(topic.to_owned(), count)),
                Err(error) => problems.push(lookup_failed(topic, &error)),
                Ok(None) => {
                    problems.push(format!("dead-letter topic '{topic}' does not exist: create it before starting"));
                }
            }
        }
        // All other errors are temporary, and the threads wait until they pass.
        if let Err(refused @ TransportError::Invalid(_)) = admin.check_group(&config.application_id) {
            problems.push(refused.to_string());
        }
        if let Err(error) = &resolved {
            problems.extend_from_slice(error.problems());
        }
        let mut seen = HashSet::new();
        problems.retain(|problem| seen.insert(problem.clone()));
        TopologyError::check(problems)?;
        let plan = Arc::new(resolved?);
        for pattern in plan.unmatched_patterns() {
            tracing::warn!(
                %pattern,
                every = ?config.metadata_max_age,
                "no topic matches the pattern yet: its stream waits until one appears"
            );
        }
        TopologyError::check(create_internal_topics(&mut *admin, &plan))?;
        TopologyError::check(store_notes::check(&*transport, &plan, &*clock))?;
        let (stores, process_id) = open_state(&config)?;
        let process_id = process_id.unwrap_or_else(|| client_id.clone());
        let limits = limits(&mut *admin, &plan, &config);
        let settings = TaskSettings::new(plan.clone(), &config, dead_letters, limits);
        let (standbys, newest, roster) = (Arc::default(), Arc::new(Mutex::new(plan.clone())), Arc::default());
        let config = Arc::new(config);
        Ok(Self { config, plan, settings, transport, clock, stores, client_id, process_id, standbys, newest, roster })
    }

    /// A copy for a new process, with an empty roster and no standbys.
    pub(crate) fn afresh(&self) -> Self {
        let (settings, standbys, roster) = (self.settings.afresh(), Arc::default(), Arc::default());
        let newest = Arc::new(Mutex::new(self.plan.clone()));
        Self { settings, standbys, newest, roster, ..self.clone() }
    }

    /// The newest plan that a thread of the instance has taken up.
    pub(super) fn newest_plan(&self) -> Arc<Plan> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up a plan for topics that have appeared or gone.
    pub(super) fn take_up(&mut self, plan: Arc<Plan>) {
        self.settings.plan = plan.clone();
        (*self.newest.lock().unwrap_or_else(PoisonError::into_inner)).clone_from(&plan);
        self.plan = plan;
    }

    /// The roster of known instances.
    pub(super) fn roster(&self) -> MutexGuard<'_, Roster> {
        // Its values are replaced as a whole, so a panic leaves no half-written value.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The known live instances.
    pub(super) fn live_members(&self, now_ms: i64) -> BTreeSet<Arc<str>> {
        self.roster().live(now_ms, self.member_timeout_ms()).map(|(id, _)| id.clone()).collect()
    }

    /// The known owner of each task.
    pub(super) fn owners(&self, now_ms: i64) -> BTreeMap<TaskId, Arc<str>> {
        let claimed = self.standbys.claimed();
        self.roster().owners(&self.process_id.as_str().into(), &claimed, now_ms, self.member_timeout_ms())
    }

    /// The member record of this instance.
    pub(super) fn myself(&self, wall_ms: i64) -> Member {
        let (active, standby) = (self.standbys.claimed(), self.standbys.lags());
        let (client_id, address) = (Some(self.client_id.clone()), self.config.application_server.clone());
        Member { heartbeat_ms: wall_ms, client_id, address, active, standby }
    }

    /// The longest time between two polls of a thread. After it, the group gives the thread's partitions to other
    /// members, or the log ends its transaction.
    pub(super) fn poll_limit(&self) -> Duration {
        let session = self.config.session_timeout;
        match self.config.processing_guarantee {
            ProcessingGuarantee::ExactlyOnce => {
                self.transport.transaction_timeout().map_or(session, |it| it.min(session))
            }
            ProcessingGuarantee::AtLeastOnce => session,
        }
    }

    /// The most records that a poll returns.
    pub(super) fn max_poll_records(&self) -> usize {
        self.config.max_buffered_records.max(1000)
    }

    pub(super) fn member_timeout_ms(&self) -> i64 {
        i64::try_from(self.config.member_timeout.as_millis()).unwrap_or(i64::MAX)
    }
}

/// The topics of the application's log.
pub(crate) struct OnLog<'a>(pub(crate) &'a mut dyn Admin);

impl TopicLookup for OnLog<'_> {
    fn partitions_of(&mut self, topic: &str) -> Result<Option<i32>, TransportError> {
        partitions(self.0, topic)
    }

    fn all(&mut self) -> Result<Vec<Topic>, TransportError> {
        self.0.list_topics()
    }
}

fn partitions(admin: &mut dyn Admin, topic: &str) -> Result<Option<i32>, TransportError> {
    Ok(admin.describe_topic(topic)?.map(|spec| spec.partitions))
}

/// What the topics take that the application writes. A topic whose limits cannot be read counts as one without limits:
/// the log itself checks them, too.
fn limits(admin: &mut dyn Admin, plan: &Plan, config: &StreamsConfig) -> Limits {
    let nodes = &plan.graph().nodes;
    let is_checked = |topic: &TopicRef| matches!(topic, TopicRef::External(_) | TopicRef::Repartition(_));
    let written = nodes.iter().filter_map(|node| node.kind.writes()).filter(is_checked);
    let chosen = nodes.iter().filter(|node| matches!(node.kind, NodeKind::SinkByRecord(_)));
    let mut topics: BTreeSet<Topic> = written.map(|topic| plan.topic_name(&topic)).collect();
    topics.extend(chosen.flat_map(|node| node.kind.user_topics().iter().cloned()));
    topics.extend(plan.undeclared_topics().keys().cloned());
    topics.extend(config.dead_letter_topics().map(Topic::from));
    let limits = topics.into_iter().filter_map(|topic| {
        let spec = admin.describe_topic(&topic).ok()??;
        let bytes = admin.max_record_bytes(&topic);
        let bytes = bytes.inspect_err(|error| tracing::debug!(%topic, %error, "the limit of records is not known"));
        Some((topic, TopicLimits::new(&spec, bytes.ok().flatten())))
    });
    limits.collect()
}

/// Another instance may create the same topic at the same moment. So the check looks at the topic as it is afterwards.
pub(super) fn create_internal_topics(admin: &mut dyn Admin, plan: &Plan) -> Vec<String> {
    let mut problems = Vec::new();
    for topic in plan.internal_topics() {
        let InternalTopic { spec, config, .. } = topic;
        match admin.create_topic_with(&spec, &config) {
            Ok(()) => tracing::debug!(topic = %spec.name, partitions = spec.partitions, "internal topic created"),
            // The topic exists already, or this instance has no right to create it. Then it uses the existing topic.
            Err(refused) => match admin.describe_topic(&spec.name) {
                Ok(Some(found)) if found.partitions != spec.partitions => problems.push(format!(
                    "internal topic '{}' has {} partitions, but the topology needs {}: \
                     reset the application, or give it another application id",
                    spec.name, found.partitions, spec.partitions
                )),
                Ok(Some(_)) => {}
                // Another instance has just created the topic, and some brokers do not know it yet.
                Ok(None) if matches!(refused, TransportError::TopicExists(_)) => {}
                Ok(None) => problems.push(format!("topic '{}' cannot be created: {refused}", spec.name)),
                Err(error) => problems.push(lookup_failed(&spec.name, &error)),
            },
        }
    }
    problems
}

/// The stores, and the process id that is kept in the state folder.
#[cfg_attr(not(feature = "rocksdb"), expect(clippy::unnecessary_wraps, reason = "memory cannot be refused"))]
fn open_state(config: &StreamsConfig) -> Result<(Arc<dyn StoreSupplier>, Option<String>), TopologyError> {
    #[cfg(feature = "rocksdb")]
    if let Some(root) = &config.state_dir {
        let directory = tidemill_state::StateDirectory::open(root, &config.application_id);
        let directory = directory.map_err(|error| problem(&error))?;
        let process_id = directory.process_id(crate::names::unique).map_err(|error| problem(&error))?;
        let stores = crate::task::DiskStores::new(directory, config.store_memory_bytes);
        return Ok((Arc::new(stores), Some(process_id)));
    }
    debug_assert!(config.state_dir.is_none() || cfg!(feature = "rocksdb"), "checked with the configuration");
    Ok((Arc::new(MemoryStores), None))
}

fn problem(error: &dyn std::error::Error) -> TopologyError {
    TopologyError::of(chain(error))
}

/// The time between two wall-clock ticks.
pub(crate) const TICK: Duration = Duration::from_millis(50);
