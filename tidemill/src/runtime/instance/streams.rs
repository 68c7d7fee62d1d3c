//! An application's handle: start, watch, query, stop.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tidemill_state::{Codec as _, Coded};

use super::{HostInfo, KeyQueryMetadata, StreamsMetadata, threads::Threads};
use crate::{
    clock::{Clock, Moment, SystemClock},
    config::StreamsConfig,
    error::{TaskError, TopologyError},
    graph::StoreName,
    members::Member,
    names::{made_up_id, unique},
    partitioner::partition_for,
    plan::{Plan, TaskId},
    runtime::{
        Prepared, ThreadStatus,
        query::{KeyValueQuery, QueryError, QueryTarget, SessionQuery, VersionedQuery, WindowQuery},
    },
    topology::Topology,
    transport::Transport,
};

/// The state of an application (`KafkaStreams.State` in Kafka Streams). There is no state for a rebalance: tasks report
/// their own states in [`Streams::status`]. See the example of [`Streams::state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamsState {
    /// The threads run. Tasks may still be restoring.
    Running,
    /// The threads are stopping.
    PendingShutdown,
    /// All threads ended without an error.
    NotRunning,
    /// A thread ended with an error, which stops the other threads.
    Error,
}

/// A running application: stream threads that share the work of its group (`KafkaStreams` in Kafka Streams).
///
/// Dropping the handle stops the application as [`Streams::close`] does.
///
/// ```
/// use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::EmbeddedLog};
///
/// let log = EmbeddedLog::in_memory();
/// log.create("lines", 1)?;
/// log.create("shouted", 1)?;
///
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, String>("lines").map_values(|line| line.to_uppercase()).to("shouted");
///
/// let streams = Streams::start(&builder.build()?, StreamsConfig::new("shout"), log)?;
/// streams.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Streams {
    app: Prepared,
    threads: Threads,
}

impl Streams {
    /// Checks the topology, configuration, topics and rights, creates internal topics and starts the threads
    /// (`KafkaStreams.start` in Kafka Streams). Waits until each thread can work, or until it finds that the brokers
    /// are away. In that case the thread waits for the brokers in the background.
    ///
    /// # Errors
    ///
    /// Returns all problems together if a check fails before the threads start. Returns the first thread's refusal if a
    /// thread is refused, for example its transactional id.
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::EmbeddedLog};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<String, String>("lines").to("shouted");
    ///
    /// let log = EmbeddedLog::in_memory(); // Neither topic exists.
    /// let error = Streams::start(&builder.build()?, StreamsConfig::new("shout"), log).err().expect("a refusal");
    /// assert_eq!(error.problems().len(), 2);
    /// assert!(error.problems()[0].contains("'lines'"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start(topology: &Topology, config: StreamsConfig, transport: impl Transport) -> Result<Self, TopologyError> {
        Self::start_with_clock(topology, config, Arc::new(transport), Arc::new(SystemClock))
    }

    /// Starts as [`Streams::start`] does, with another clock (the `Time` of `KafkaStreams`' constructor in Kafka
    /// Streams). The clock decides when commits, punctuations and time-outs are due.
    ///
    /// # Errors
    ///
    /// As [`Streams::start`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tidemill::SystemClock;
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::EmbeddedLog};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("lines", 1)?, log.create("shouted", 1)?);
    /// # builder.stream::<String, String>("lines").map_values(|line| line.to_uppercase()).to("shouted");
    /// let (topology, config) = (builder.build()?, StreamsConfig::new("shout"));
    /// let streams = Streams::start_with_clock(&topology, config, Arc::new(log), Arc::new(SystemClock))?;
    /// streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_with_clock(
        topology: &Topology,
        config: StreamsConfig,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TopologyError> {
        let client_id = config.client_id.clone().unwrap_or_else(made_up_id);
        let mut app = Prepared::new(topology, config, transport, clock, client_id)?;
        if app.config.state_dir.is_none() {
            // Two instances may have the same client id, and instances with the same process id fence each other for
            // ever.
            app.process_id = unique();
        }
        let threads = Threads::start(&app)?;
        Ok(Self { app, threads })
    }

    /// The application's state (`KafkaStreams.state` in Kafka Streams).
    ///
    /// ```
    /// # use tidemill::StreamsState;
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::EmbeddedLog};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("lines", 1)?, log.create("shouted", 1)?);
    /// # builder.stream::<String, String>("lines").map_values(|line| line.to_uppercase()).to("shouted");
    /// let streams = Streams::start(&builder.build()?, StreamsConfig::new("shout"), log)?;
    /// assert_eq!(streams.state(), StreamsState::Running);
    /// streams.stop();
    /// assert!(matches!(streams.state(), StreamsState::PendingShutdown | StreamsState::NotRunning));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state(&self) -> StreamsState {
        self.threads.state()
    }

    /// The plan that the application runs: subtopologies, tasks and internal topics (`Topology.describe` in Kafka
    /// Streams, which knows no partition counts).
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::EmbeddedLog};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("lines", 1)?, log.create("shouted", 1)?);
    /// # builder.stream::<String, String>("lines").map_values(|line| line.to_uppercase()).to("shouted");
    /// let streams = Streams::start(&builder.build()?, StreamsConfig::new("shout"), log)?;
    /// assert_eq!(streams.plan().tasks()[0].to_string(), "0_0");
    /// # streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plan(&self) -> &Plan {
        &self.app.plan
    }

    /// The status of threads, tasks, positions and stores, about 100 ms old at most (`metadataForLocalThreads` and
    /// metrics in Kafka Streams). Standbys come last, under the name of the member thread.
    ///
    /// ```
    /// # use tidemill::TaskState;
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("chat", 1)?, log.create("counts", 1)?);
    /// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
    /// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
    /// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
    /// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
    /// # while log.end_offsets("counts")? != [3] {
    /// #     std::thread::yield_now();
    /// # }
    /// # while !streams.status().iter().any(|thread| thread.tasks.iter().any(|task| task.records_processed == 3)) {
    /// #     std::thread::yield_now();
    /// # }
    /// let task = &streams.status()[0].tasks[0];
    /// assert_eq!((task.id.to_string(), &task.state), ("0_0".to_owned(), &TaskState::Running));
    /// assert_eq!((task.records_processed, task.stream_time_ms), (3, 0));
    /// assert_eq!(task.stores[0].name, "messages");
    /// # streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn status(&self) -> Vec<ThreadStatus> {
        let mut threads = self.threads.statuses();
        threads.extend(self.app.standbys.report(format!("{}-members", self.app.client_id)));
        threads
    }

    /// The known instances of the application, ordered by client id (`metadataForAllStreamsClients` in Kafka Streams).
    /// The data of other instances may be some seconds old. An instance without a heartbeat for
    /// [`member_timeout`](crate::StreamsConfig::member_timeout) is left out.
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::EmbeddedLog};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("lines", 1)?, log.create("shouted", 1)?);
    /// # builder.stream::<String, String>("lines").to("shouted");
    /// let config = StreamsConfig { application_server: Some("10.0.0.7:8080".into()), ..StreamsConfig::new("shout") };
    /// let streams = Streams::start(&builder.build()?, config, log)?;
    /// let instances = streams.metadata();
    /// assert_eq!(instances.len(), 1);
    /// assert!(instances[0].host.is_here);
    /// assert_eq!(instances[0].host.address.as_deref(), Some("10.0.0.7:8080"));
    /// # streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn metadata(&self) -> Vec<StreamsMetadata> {
        let mut all: Vec<_> = self.members().into_values().collect();
        all.sort_by(|a, b| a.host.cmp(&b.host));
        all
    }

    /// The known instances by process id, because client ids may repeat.
    fn members(&self) -> BTreeMap<Arc<str>, StreamsMetadata> {
        let Moment { wall_ms, monotonic_ms } = Moment::of(&*self.app.clock);
        let me: Arc<str> = self.app.process_id.as_str().into();
        let roster = self.app.roster();
        let others = roster.live(monotonic_ms, self.app.member_timeout_ms()).filter(|(id, _)| **id != me);
        let mut all: BTreeMap<_, _> = others.map(|(id, member)| (id.clone(), self.describe(id, member))).collect();
        drop(roster);
        let myself = self.describe(&me, &self.app.myself(wall_ms));
        all.insert(me, myself);
        all
    }

    /// The instance to query for a key of a store, and the instances that keep standbys of its task
    /// (`queryMetadataForKey` in Kafka Streams). `K` is the type of the grouping key, also for window stores. The
    /// partition is murmur2 of the key's bytes; a topic with its own partitioner has its keys elsewhere. Every instance
    /// has all keys of a global store, so the answer is this instance and partition -1.
    ///
    /// # Errors
    ///
    /// Fails if the topology has no such store, or if the key cannot be encoded.
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("chat", 1)?, log.create("counts", 1)?);
    /// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
    /// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
    /// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
    /// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
    /// # while log.end_offsets("counts")? != [3] {
    /// #     std::thread::yield_now();
    /// # }
    /// # while streams.query_metadata_for_key("messages", &"ann".to_owned())?.active.is_none() {
    /// #     std::thread::yield_now();
    /// # }
    /// let place = streams.query_metadata_for_key("messages", &"ann".to_owned())?;
    /// assert_eq!(place.partition, 0);
    /// assert!(place.active.is_some_and(|host| host.is_here), "ask this instance");
    /// assert!(streams.query_metadata_for_key("no-such-store", &"ann".to_owned()).is_err());
    /// # streams.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn query_metadata_for_key<K: Coded>(&self, store: &str, key: &K) -> Result<KeyQueryMetadata, QueryError> {
        if self.app.plan.graph().globals.contains_key(store) {
            let me = self.describe(&self.app.process_id, &self.app.myself(self.app.clock.now_ms()));
            return Ok(KeyQueryMetadata { active: Some(me.host), standbys: Vec::new(), partition: -1 });
        }
        let unknown = || QueryError::UnknownStore(store.to_owned());
        let subtopology = self.app.plan.subtopology_of_store(store).ok_or_else(unknown)?;
        // Without a topic, the store has no tasks yet. Any partition then says that nobody has the key.
        let partitions = self.app.newest_plan().task_count(subtopology).max(1);
        let codec = K::Codec::default();
        let raw = codec.encode(key)?;
        let partition = partition_for(raw.as_deref().map(|raw| codec.partition_bytes(raw)), partitions);
        let task = TaskId { subtopology, partition };
        let owner = self.app.owners(self.app.clock.monotonic_ms()).remove(&task);
        let (mut active, mut standbys) = (None, Vec::new());
        for (id, StreamsMetadata { host, standby_tasks, .. }) in self.members() {
            if owner.as_ref() == Some(&id) {
                active = Some(host);
            } else if let Some(lag) = standby_tasks.get(&task) {
                standbys.push((*lag, host));
            }
        }
        standbys.sort();
        let standbys = standbys.into_iter().map(|(_, host)| host).collect();
        Ok(KeyQueryMetadata { active, standbys, partition })
    }

    fn describe(&self, id: &str, member: &Member) -> StreamsMetadata {
        let Member { client_id, address, active, standby, .. } = member.clone();
        let stores = |tasks: &mut dyn Iterator<Item = &TaskId>| -> BTreeSet<StoreName> {
            tasks.flat_map(|task| self.app.plan.stores_of(*task)).cloned().collect()
        };
        StreamsMetadata {
            host: HostInfo {
                instance: client_id.unwrap_or_else(|| id.to_owned()),
                address,
                is_here: *id == *self.app.process_id,
            },
            stores: stores(&mut active.iter()),
            active_tasks: active,
            standby_stores: stores(&mut standby.keys()),
            standby_tasks: standby,
        }
    }

    /// A query of a key-value store of this instance (`KafkaStreams.store` with `QueryableStoreTypes.keyValueStore` in
    /// Kafka Streams). The types must be those of the store. The query checks it when it asks, and returns
    /// [`QueryError::WrongStoreTypes`] or [`QueryError::UnknownStore`] otherwise. See the example of [`KeyValueQuery`].
    pub fn key_value_store<K, V>(&self, store: &str) -> KeyValueQuery<K, V> {
        KeyValueQuery::new(self.query_target(), store)
    }

    /// A query of a window store of this instance (`KafkaStreams.store` with `QueryableStoreTypes.windowStore` in Kafka
    /// Streams). See the example of [`WindowQuery`].
    pub fn window_store<K, V>(&self, store: &str) -> WindowQuery<K, V> {
        WindowQuery::new(self.query_target(), store)
    }

    /// A query of a session store of this instance (`KafkaStreams.store` with `QueryableStoreTypes.sessionStore` in Kafka
    /// Streams). See the example of [`SessionQuery`].
    pub fn session_store<K, V>(&self, store: &str) -> SessionQuery<K, V> {
        SessionQuery::new(self.query_target(), store)
    }

    /// A query of a versioned store of this instance (`VersionedKeyQuery` in Kafka Streams, KIP-960). See the example of
    /// [`VersionedQuery`].
    pub fn versioned_store<K, V>(&self, store: &str) -> VersionedQuery<K, V> {
        VersionedQuery::new(self.query_target(), store)
    }

    fn query_target(&self) -> QueryTarget {
        let (standbys, globals) = (self.app.standbys.clone(), self.app.settings.globals.clone());
        let plan = self.app.plan.clone();
        QueryTarget::new(self.threads.lines(), standbys, globals, plan, self.app.config.query_timeout)
    }

    /// Tells the threads to stop, and returns at once. Each thread commits its work before it ends. This is safe inside
    /// an operator, where [`close`](Self::close) is an error. See the example of [`Streams::state`].
    pub fn stop(&self) {
        self.threads.stop();
    }

    /// Waits until all threads have ended. A program that runs until it fails or is stopped calls it after
    /// [`Streams::start`]. Kafka Streams has no such method.
    ///
    /// # Errors
    ///
    /// Returns the first error that ended a thread. Returns [`TaskError::WaitsForItself`] at once if the caller is one
    /// of the application's threads, for example in an operator's closure.
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, TaskError, transport::embedded::{EmbeddedLog, Entry}};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("orders", 1)?, log.create("ratios", 1)?);
    /// builder.stream::<u64, i64>("orders").map_values(|cents| 1_000 / cents).to("ratios");
    /// log.append("orders", 0, [Entry::new(vec![0; 8], vec![0; 8], 0)])?; // A panic: division by zero.
    ///
    /// let streams = Streams::start(&builder.build()?, StreamsConfig::new("ratios"), log)?;
    /// let error = streams.wait().unwrap_err();
    /// assert!(matches!(&error, TaskError::Failed { position: Some(_), .. }));
    /// assert!(error.to_string().contains("topic 'orders', partition 0, offset 0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(mut self) -> Result<(), TaskError> {
        self.threads.join()
    }

    /// Commits the work done, closes the stores and stops (`KafkaStreams.close` in Kafka Streams). Waits until all
    /// threads have ended; there is no time limit.
    ///
    /// # Errors
    ///
    /// Returns the first error that ended a thread. Returns [`TaskError::WaitsForItself`] at once if the caller is one
    /// of the application's threads, for example in an operator's closure. The application stops all the same.
    ///
    /// ```
    /// # use tidemill::{Streams, StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
    /// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
    /// # (log.create("chat", 1)?, log.create("counts", 1)?);
    /// # builder.stream::<String, String>("chat").group_by_key().count("messages").to_stream().to("counts");
    /// # let said = [("ann", "hi"), ("bo", "hello"), ("ann", "bye")];
    /// # log.append("chat", 0, said.map(|(user, text)| Entry::new(user, text, 0)))?;
    /// # let streams = Streams::start(&builder.build()?, StreamsConfig::new("chat-counts"), log.clone())?;
    /// # while log.end_offsets("counts")? != [3] {
    /// #     std::thread::yield_now();
    /// # }
    /// streams.close()?;
    /// // All input is committed.
    /// assert_eq!(log.group_lag("chat-counts").iter().map(|partition| partition.lag).sum::<i64>(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(self) -> Result<(), TaskError> {
        self.stop();
        self.wait()
    }
}
