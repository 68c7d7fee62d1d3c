//! Sends records, in transactions or without.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    error::KafkaError,
    message::{DeliveryResult, Header as OneHeader, Message as _, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext, PurgeConfig},
    types::RDKafkaErrorCode as Code,
};

use super::{
    Shared, context, error,
    offsets::{self, ANSWER},
    settings::Role,
};
use crate::transport::{
    CommittedOffset, GroupMetadata, Headers, Offset, Producer, ProducerConfig, ProducerRecord, TopicPartition,
    TransportError,
};

/// Deliveries are served once for so many records sent.
const SERVED_EACH: usize = 512;
/// How long to wait between two looks for deliveries, at first and at most: it bounds how late a commit learns that all
/// has arrived. librdkafka's own wait is a loop that keeps a core busy, or takes 100 ms.
const PAUSES: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(1));
/// How long after a commit the next transaction's records are kept here. Until the brokers have written the markers of
/// the last one they refuse partitions of the next, and librdkafka asks again only after 20 ms.
const MARKERS: Duration = Duration::from_millis(5);
/// How long what is on its way may take before an abort drops it.
const LANDING: Duration = Duration::from_secs(2);

/// What became of records sent, by the place of their partition in the producer's list.
#[derive(Default)]
struct Deliveries(Mutex<Delivered>);

#[derive(Default)]
struct Delivered {
    /// The offset after the last one of each partition.
    ends: Vec<Option<Offset>>,
    failed: Option<KafkaError>,
}

impl Deliveries {
    fn with<T>(&self, look: impl FnOnce(&mut Delivered) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        context::report(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        self.with(|delivered| match result {
            Ok(message) => {
                if delivered.ends.len() <= place {
                    delivered.ends.resize(place + 1, None);
                }
                let end = &mut delivered.ends[place];
                *end = (*end).max(Some(message.offset() + 1));
            }
            Err((failed, _)) => {
                delivered.failed.get_or_insert_with(|| failed.clone());
            }
        });
    }
}

/// A producer.
pub(super) struct KafkaProducer {
    shared: Arc<Shared>,
    client: BaseProducer<Deliveries>,
    transactional: bool,
    /// Every partition that was written to, and its place in `Delivered`.
    partitions: Vec<TopicPartition>,
    places: HashMap<TopicPartition, usize>,
    sent: usize,
    /// Records that wait until [`MARKERS`] after the last commit.
    held: Vec<ProducerRecord>,
    free_at: Option<Instant>,
}

impl KafkaProducer {
    pub(super) fn open(shared: Arc<Shared>, config: &ProducerConfig) -> Result<Self, TransportError> {
        let mut client = shared.config.client(Role::Producer);
        if let Some(id) = &config.transactional_id {
            client.set("transactional.id", id);
            client.set("client.id", id);
            client.set("transaction.timeout.ms", shared.config.transaction_timeout.as_millis().max(1000).to_string());
        }
        let client = BaseProducer::from_config_and_context(&client, Deliveries::default()).map_err(error::of)?;
        let transactional = config.transactional_id.is_some();
        Ok(Self {
            shared,
            client,
            transactional,
            partitions: Vec::new(),
            places: HashMap::new(),
            sent: 0,
            held: Vec::new(),
            free_at: None,
        })
    }

    fn place(&mut self, record: &ProducerRecord) -> usize {
        let partition = TopicPartition { topic: Arc::clone(&record.topic), partition: record.partition };
        let next = self.partitions.len();
        let place = *self.places.entry(partition.clone()).or_insert(next);
        if place == next {
            self.partitions.push(partition);
        }
        place
    }

    /// Waits until everything sent has been delivered or has failed. `false` if that takes too long.
    fn settle(&self, patience: Duration) -> bool {
        let started = Instant::now();
        let (mut pause, most) = PAUSES;
        loop {
            let waiting = self.client.in_flight_count();
            if waiting == 0 {
                return true;
            }
            self.client.poll(Duration::ZERO);
            if self.client.in_flight_count() < waiting {
                pause = PAUSES.0;
                continue;
            }
            if started.elapsed() > patience {
                return false;
            }
            // It asks the broker threads to send at once, and cannot be done already.
            if let Err(error) = self.client.flush(Duration::ZERO)
                && error.rdkafka_error_code() != Some(Code::OperationTimedOut)
            {
                tracing::debug!(%error, "librdkafka tries again");
            }
            thread::sleep(pause);
            pause = (pause * 2).min(most);
        }
    }

    /// Drops what has not left, and then what has.
    fn clear(&self, patience: Duration) {
        if !self.settle(patience) {
            self.client.purge(PurgeConfig::default().queue().inflight());
            self.settle(LANDING);
        }
        self.client.context().with(|delivered| delivered.failed = None);
    }

    /// Hands over what was held, when its time has come.
    fn let_go(&mut self) -> Result<(), TransportError> {
        if let Some(free_at) = self.free_at.take()
            && !self.held.is_empty()
        {
            thread::sleep(free_at.saturating_duration_since(Instant::now()));
        }
        std::mem::take(&mut self.held).into_iter().try_for_each(|record| self.hand_over(record))
    }

    fn hand_over(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        let place = self.place(&record);
        let ProducerRecord { topic, partition, timestamp, key, value, headers } = &record;
        let mut next: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(topic, place).partition(*partition);
        // To librdkafka 0 means "now": the first millisecond of 1970 is sent as the second.
        next.timestamp = Some((*timestamp).max(1));
        next.key = key.as_deref();
        next.payload = value.as_deref();
        if !headers.is_empty() {
            next.headers = Some(owned(headers));
        }
        let started = Instant::now();
        loop {
            match self.client.send(next) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(Code::QueueFull), again)) if started.elapsed() < ANSWER => {
                    self.client.poll(Duration::ZERO);
                    thread::sleep(PAUSES.0);
                    next = again;
                }
                Err((failed, _)) => return Err(self.failed(failed, topic)),
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(SERVED_EACH) {
            self.client.poll(Duration::ZERO);
        }
        Ok(())
    }

    fn failed(&self, failed: KafkaError, topic: &str) -> TransportError {
        match failed.rdkafka_error_code() {
            Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
                TransportError::UnknownTopic(topic.to_owned())
            }
            // In a transaction that is over, whatever ended it.
            Some(Code::State | Code::PurgeQueue | Code::PurgeInflight) if self.transactional => {
                TransportError::Abort(failed.to_string())
            }
            Some(Code::Fatal) => match self.client.client().fatal_error() {
                Some((_, reason)) => TransportError::Fenced(reason),
                None => TransportError::Fenced(failed.to_string()),
            },
            _ => error::of(failed),
        }
    }
}

impl Producer for KafkaProducer {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        self.client.init_transactions(ANSWER).map_err(error::of)
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        self.client.context().with(|delivered| delivered.failed = None);
        self.client.begin_transaction().map_err(error::of)
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        match self.free_at {
            Some(free_at) if Instant::now() < free_at => {
                self.held.push(record);
                Ok(())
            }
            Some(_) => {
                self.let_go()?;
                self.hand_over(record)
            }
            None => self.hand_over(record),
        }
    }

    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        group: &GroupMetadata,
    ) -> Result<(), TransportError> {
        self.let_go()?;
        let membership = {
            let memberships = self.shared.memberships.lock().unwrap_or_else(PoisonError::into_inner);
            memberships.get(&group.member).map(Arc::clone)
        };
        let Some(membership) = membership else {
            return Err(TransportError::Fenced(format!("'{}' is no member of group '{}'", group.member, group.group)));
        };
        let list = offsets::commits(offsets)?;
        self.client.send_offsets_to_transaction(&list, &membership, ANSWER).map_err(error::of)
    }

    fn commit_transaction(&mut self) -> Result<(), TransportError> {
        self.let_go()?;
        // What failed makes librdkafka refuse the commit, and say how.
        self.settle(ANSWER);
        self.client.commit_transaction(ANSWER).map_err(error::of)?;
        self.free_at = Some(Instant::now() + MARKERS);
        Ok(())
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        self.held.clear();
        self.clear(LANDING);
        self.client.abort_transaction(ANSWER).map_err(error::of)?;
        self.client.context().with(|delivered| delivered.ends.clear());
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TransportError> {
        self.let_go()?;
        let settled = self.settle(ANSWER);
        match self.client.context().with(|delivered| delivered.failed.take()) {
            Some(failed) => Err(self.failed(failed, "one of those that were written to")),
            None if settled => Ok(()),
            None => Err(TransportError::Retriable("the brokers did not take all records in time".to_owned())),
        }
    }

    fn discard(&mut self) {
        self.held.clear();
        self.client.purge(PurgeConfig::default().queue());
        self.clear(LANDING);
        self.client.context().with(|delivered| delivered.ends.clear());
    }

    fn take_acknowledged(&mut self) -> Vec<(TopicPartition, Offset)> {
        // Served without waiting: after a flush or commit there is nothing left to wait for.
        self.client.poll(Duration::ZERO);
        let ends = self.client.context().with(|delivered| std::mem::take(&mut delivered.ends));
        let known = self.partitions.iter().cloned().zip(ends);
        known.filter_map(|(partition, end)| Some((partition, end?))).collect()
    }
}

fn owned(headers: &Headers) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new(), |owned, header| {
        owned.insert(OneHeader { key: &header.key, value: header.value.as_deref() })
    })
}
