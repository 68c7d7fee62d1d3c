//! A member of a consumer group.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use rdkafka::{
    Offset as Position,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::KafkaError,
    types::RDKafkaErrorCode as Code,
};

use super::{
    GroupProtocol, TransportState,
    client::Client,
    context::{Context, answer},
    error,
    inbox::Inbox,
    missing::Doubt,
    offsets::{self, ANSWER, PAUSE},
    settings::Role,
    signal::Signal,
};
use crate::transport::{
    CommittedOffset, Consumer, ConsumerConfig, GroupMetadata, Offset, Polled, Rebalance, Topic, TopicPartition,
    TransportError, Waker, Watermarks,
};

type Committed = Result<Vec<Option<CommittedOffset>>, TransportError>;

/// How long one request for committed offsets may take before it is repeated.
const QUESTION: Duration = Duration::from_secs(3);
/// What an operator reads, twice a minute, while the committed offsets stay unknown.
const PENDING: &str = "the committed offsets cannot be read yet, trying again; if this goes on while all brokers are up, \
                       a transaction that never ended holds them: `kafka-transactions.sh find-hanging` shows it, and \
                       `kafka-transactions.sh abort` ends it";
/// How long `committed_now` may take. The thread that calls it has other work to do.
const AT_ONCE: Duration = Duration::from_millis(200);

/// Partitions that were assigned, while their committed offsets are being requested. The request may take as long as
/// another member's transaction is open. Meanwhile the member continues with the partitions that it owns.
struct Arriving {
    partitions: Vec<TopicPartition>,
    committed: Receiver<Committed>,
}

/// A member of a consumer group.
pub(super) struct KafkaConsumer {
    shared: Arc<TransportState>,
    config: ConsumerConfig,
    name: String,
    topics: Vec<Topic>,
    client: Client,
    /// The group protocol of this client. Another client may just have found out that the brokers do not support it.
    classic: bool,
    inbox: Inbox,
    arriving: VecDeque<Arriving>,
    /// Committed offsets that arrived with an assignment, kept until `committed` is called.
    committed: BTreeMap<TopicPartition, Option<CommittedOffset>>,
    /// Partitions that the group wants back and that are not released yet.
    revoked: Vec<TopicPartition>,
    wake: Arc<Wake>,
    /// Checks whether all subscribed topics still exist.
    doubt: Doubt,
}

/// What a poll waits for, and whether the next poll must end at once.
struct Wake {
    woken: AtomicBool,
    /// The signal of the current client.
    signal: Mutex<Arc<Signal>>,
}

impl Wake {
    fn follow(&self, client: &Client) {
        *self.signal.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&client.context().signal);
    }

    fn wake(&self) {
        self.woken.store(true, Ordering::SeqCst);
        self.signal.lock().unwrap_or_else(PoisonError::into_inner).tell();
    }
}

impl KafkaConsumer {
    pub(super) fn open(shared: Arc<TransportState>, config: ConsumerConfig) -> Result<Self, TransportError> {
        let number = shared.members.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}#{number}", config.client_id);
        let classic = shared.classic.load(Ordering::Relaxed);
        let client = connect(&shared, &config, classic)?;
        let signal = Mutex::new(Arc::clone(&client.context().signal));
        let wake = Arc::new(Wake { woken: AtomicBool::new(false), signal });
        Ok(Self {
            shared,
            config,
            name,
            topics: Vec::new(),
            client,
            classic,
            inbox: Inbox::default(),
            arriving: VecDeque::new(),
            committed: BTreeMap::new(),
            revoked: Vec::new(),
            wake,
            doubt: Doubt::default(),
        })
    }

    /// Serves librdkafka's own queue until it is empty. It holds errors and rebalances; the context records the
    /// rebalances. While brokers are unreachable, errors arrive faster than this member polls. A rebalance would
    /// otherwise wait behind them.
    fn serve(&mut self) -> Result<(), TransportError> {
        while let Some(polled) = self.client.poll(Duration::ZERO).map(|polled| polled.map(drop)) {
            match polled {
                Ok(()) => {}
                Err(failed) => self.hear(failed)?,
            }
        }
        Ok(())
    }

    /// Handles an error of the client.
    fn hear(&mut self, failed: KafkaError) -> Result<(), TransportError> {
        match failed {
            KafkaError::MessageConsumptionFatal(Code::UnsupportedVersion | Code::UnsupportedFeature)
                if self.shared.config.group_protocol == GroupProtocol::Auto && !self.classic =>
            {
                self.fall_back_to_classic()
            }
            KafkaError::MessageConsumptionFatal(Code::UnsupportedVersion | Code::UnsupportedFeature) => {
                Err(TransportError::Invalid(
                    "the brokers do not support group protocol 'consumer' (KIP-848, Kafka 4.0); use 'classic' or 'auto'"
                        .into(),
                ))
            }
            KafkaError::MessageConsumptionFatal(Code::UnreleasedInstanceId) => {
                // The instance id is free again when the previous session of the static member has ended.
                std::thread::sleep(Duration::from_secs(1));
                Err(TransportError::Fenced("another member still uses this instance id".into()))
            }
            // The client can no longer be used, but a new client may work.
            KafkaError::MessageConsumptionFatal(code) => match error::of(failed) {
                TransportError::Retriable(reason) => {
                    Err(TransportError::Fenced(reason.rephrase(|text| format!("{text} ({code:?})"))))
                },
                lasting => Err(lasting),
            },
            // A rebalance reports the lost partitions.
            KafkaError::MessageConsumption(Code::PollExceeded) => {
                tracing::warn!(member = %self.config.client_id, "did not poll in time and lost its partitions");
                Ok(())
            }
            KafkaError::MessageConsumption(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
                tracing::warn!(member = %self.config.client_id, error = %failed, "a subscribed topic is missing");
                self.doubt.arises();
                Ok(())
            }
            failed => match error::of(failed) {
                TransportError::Retriable(reason) => {
                    tracing::debug!(member = %self.config.client_id, %reason, "librdkafka retries after an error");
                    Ok(())
                }
                lasting => Err(lasting),
            },
        }
    }

    fn fall_back_to_classic(&mut self) -> Result<(), TransportError> {
        tracing::info!("the brokers do not support KIP-848's group protocol; using the classic protocol");
        self.shared.classic.store(true, Ordering::Relaxed);
        self.classic = true;
        self.inbox.clear();
        self.client = connect(&self.shared, &self.config, self.classic)?;
        self.wake.follow(&self.client);
        self.arriving.clear();
        self.committed.clear();
        let topics = std::mem::take(&mut self.topics);
        self.subscribe(&topics)
    }

    /// Handles the rebalances that the group requested.
    fn follow(&mut self) -> Result<Vec<Rebalance>, TransportError> {
        let mut told = Vec::new();
        for rebalance in self.client.context().take_rebalances() {
            if !matches!(rebalance, Rebalance::Assigned(_)) {
                // If a topic is deleted, the group takes its partitions away with an ordinary rebalance.
                self.doubt.arises();
            }
            match rebalance {
                Rebalance::Assigned(partitions) => self.arriving.push_back(ask(&self.client, partitions)),
                Rebalance::Revoked(partitions) => {
                    let known: Vec<_> = partitions.into_iter().filter(|one| self.inbox.place(one).is_some()).collect();
                    // Revoked partitions are not read any further.
                    self.inbox.pause(&known, true)?;
                    if known.is_empty() {
                        answer(&self.client, &offsets::list([]), false).map_err(error::of)?;
                    } else {
                        self.revoked.extend_from_slice(&known);
                        told.push(Rebalance::Revoked(known));
                    }
                }
                Rebalance::Lost(partitions) => {
                    let known: Vec<_> =
                        self.inbox.partitions().filter(|one| partitions.contains(one)).cloned().collect();
                    self.forget(&known);
                    self.arriving.retain(|arriving| !arriving.partitions.iter().any(|one| partitions.contains(one)));
                    answer(&self.client, &offsets::list(&partitions), false).map_err(error::of)?;
                    told.extend((!known.is_empty()).then_some(Rebalance::Lost(known)));
                }
            }
        }
        while let Some(assigned) = self.arrive()? {
            told.extend((!assigned.is_empty()).then_some(Rebalance::Assigned(assigned)));
        }
        Ok(told)
    }

    /// Begins to read assigned partitions when their committed offsets are known.
    fn arrive(&mut self) -> Result<Option<Vec<TopicPartition>>, TransportError> {
        let Some(Arriving { partitions, committed }) = self.arriving.pop_front() else { return Ok(None) };
        let committed = match committed.try_recv() {
            Ok(Ok(committed)) => committed,
            Ok(Err(TransportError::Retriable(reason))) => {
                tracing::warn!(%reason, "{PENDING}");
                self.arriving.push_front(ask(&self.client, partitions));
                return Ok(None);
            }
            Ok(Err(lasting)) => return Err(lasting),
            Err(TryRecvError::Empty) => {
                self.arriving.push_front(Arriving { partitions, committed });
                return Ok(None);
            }
            Err(TryRecvError::Disconnected) => {
                return Err(TransportError::Retriable("the request for committed offsets got no answer".into()));
            }
        };
        let mut places = Vec::with_capacity(partitions.len());
        for (partition, committed) in partitions.iter().zip(committed) {
            let place = match &committed {
                Some(committed) => Position::Offset(committed.offset),
                None if self.shared.config.starts_at_end() => Position::End,
                None => Position::Beginning,
            };
            self.inbox.open(&self.client, partition, committed.as_ref().map_or(0, |committed| committed.offset))?;
            self.committed.insert(partition.clone(), committed);
            places.push((partition, place));
        }
        answer(&self.client, &offsets::positions(places)?, true).map_err(error::of)?;
        Ok(Some(partitions))
    }

    fn forget(&mut self, partitions: &[TopicPartition]) {
        self.inbox.close(partitions);
        self.committed.retain(|partition, _| !partitions.contains(partition));
        self.revoked.retain(|partition| !partitions.contains(partition));
    }
}

/// Requests committed offsets without waiting for them.
fn ask(client: &Arc<BaseConsumer<Context>>, partitions: Vec<TopicPartition>) -> Arriving {
    let (answer, committed) = bounded(1);
    if partitions.is_empty() {
        // The receiver still exists here, so sending cannot fail.
        let _ = answer.send(Ok(Vec::new()));
        return Arriving { partitions, committed };
    }
    let (asking, signal, list) = (Arc::clone(client), Arc::clone(&client.context().signal), partitions.clone());
    let spawned = std::thread::Builder::new().name("committed-offsets".to_owned()).spawn(move || {
        let found = offsets::committed(&asking, &list, ANSWER);
        // The member may have been closed meanwhile.
        let _ = answer.send(found);
        // The client is dropped before the signal. Otherwise this thread could hold the last reference and leave the
        // group itself.
        drop(asking);
        signal.tell();
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "cannot start the thread that requests committed offsets");
    }
    Arriving { partitions, committed }
}

fn connect(shared: &TransportState, config: &ConsumerConfig, classic: bool) -> Result<Client, TransportError> {
    let mut client = shared.config.client(Role::Consumer);
    let session_ms = config.session_timeout.as_millis().max(1);
    client.set("group.id", &config.group);
    client.set("client.id", &config.client_id);
    client.set("max.poll.interval.ms", session_ms.to_string());
    if let Some(instance) = &config.instance_id {
        client.set("group.instance.id", instance);
    }
    if classic {
        client.set("partition.assignment.strategy", "range");
        client.set("session.timeout.ms", session_ms.to_string());
        client.set("heartbeat.interval.ms", (session_ms / 3).clamp(1, 3000).to_string());
    } else {
        client.set("group.protocol", "consumer");
        client.set("group.remote.assignor", "range");
    }
    Client::open(&client)
}

impl Consumer for KafkaConsumer {
    fn subscribe(&mut self, topics: &[Topic]) -> Result<(), TransportError> {
        let names: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
        if names.is_empty() {
            // librdkafka refuses an empty list.
            self.client.unsubscribe();
        } else {
            self.client.subscribe(&names).map_err(error::of)?;
        }
        self.topics = topics.to_vec();
        Ok(())
    }

    fn poll(&mut self, timeout: Duration) -> Result<Polled, TransportError> {
        let started = Instant::now();
        loop {
            let seen = self.client.context().signal.seen();
            self.serve()?;
            // A poll with a rebalance returns no records. The caller can pause or seek before it gets the first record.
            let rebalances = self.follow()?;
            if rebalances.is_empty() {
                self.doubt.settle(&self.client, &self.topics)?;
            }
            let batches = if rebalances.is_empty() {
                self.inbox.take(&self.client, self.config.max_poll_records)?
            } else {
                Vec::new()
            };
            let left = timeout.saturating_sub(started.elapsed());
            let woken = self.wake.woken.swap(false, Ordering::SeqCst);
            if !rebalances.is_empty() || !batches.is_empty() || left.is_zero() || woken {
                return Ok(Polled { rebalances, batches });
            }
            self.client.context().signal.wait(seen, left);
        }
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        let revoked: Vec<_> = self.revoked.iter().filter(|one| partitions.contains(one)).cloned().collect();
        self.forget(partitions);
        if revoked.is_empty() {
            return Ok(());
        }
        answer(&self.client, &offsets::list(&revoked), false).map_err(error::of)
    }

    fn committed(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<CommittedOffset>>, TransportError> {
        if partitions.iter().all(|partition| self.committed.contains_key(partition)) {
            return Ok(partitions.iter().map(|partition| self.committed.remove(partition).flatten()).collect());
        }
        self.committed.retain(|partition, _| !partitions.contains(partition));
        let started = Instant::now();
        loop {
            match offsets::committed(&self.client, partitions, QUESTION) {
                Err(TransportError::Retriable(reason)) if started.elapsed() < ANSWER => {
                    tracing::debug!(%reason, "requesting the committed offsets again");
                    // Serving keeps the member in its group and receives the group's requests.
                    self.serve()?;
                    std::thread::sleep(PAUSE);
                }
                // After the brokers were unreachable, a client may wait for a coordinator for ever.
                Err(TransportError::Retriable(reason)) => {
                    tracing::warn!(%reason, "{PENDING}");
                    return Err(TransportError::Fenced(reason));
                }
                answered => return answered,
            }
        }
    }

    fn committed_now(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<CommittedOffset>>, TransportError> {
        offsets::committed(&self.client, partitions, AT_ONCE)
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<(), TransportError> {
        self.inbox.moved(partition, offset)?;
        let TopicPartition { topic, partition } = partition;
        let started = Instant::now();
        loop {
            match self.client.seek(topic, *partition, Position::Offset(offset), ANSWER) {
                // An assigned partition may not be read yet.
                Err(KafkaError::Seek(_)) if started.elapsed() < QUESTION => std::thread::sleep(PAUSE),
                sought => return sought.map_err(error::of),
            }
        }
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.inbox.pause(partitions, true)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.inbox.pause(partitions, false)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<Watermarks, TransportError> {
        offsets::watermarks(&self.client, partition)
    }

    fn offset_at(&mut self, partition: &TopicPartition, timestamp: i64) -> Result<Option<Offset>, TransportError> {
        offsets::at_time(&self.client, partition, timestamp)
    }

    fn is_caught_up(&mut self, partition: &TopicPartition) -> bool {
        self.inbox.is_caught_up(partition)
    }

    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)]) -> Result<(), TransportError> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.client.commit(&offsets::commits(offsets)?, CommitMode::Sync).map_err(error::of)
    }

    fn waker(&self) -> Option<Waker> {
        let wake = Arc::clone(&self.wake);
        Some(Waker::new(move || wake.wake()))
    }

    fn group_metadata(&self) -> GroupMetadata {
        let (group, member) = (self.config.group.clone(), self.name.clone());
        let mut memberships = self.shared.memberships.lock().unwrap_or_else(PoisonError::into_inner);
        match self.client.group_metadata() {
            Some(membership) => drop(memberships.insert(member.clone(), Arc::new(membership))),
            None => drop(memberships.remove(&member)),
        }
        // librdkafka does not expose the generation.
        GroupMetadata { group, member, generation: 0 }
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        self.shared.memberships.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
        // The partitions' queues hold references to the client.
        self.inbox.clear();
    }
}
