//! One librdkafka producer, and what became of what it was given.

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

use super::super::{Shared, context, error, offsets::ANSWER, settings::Role};
use crate::transport::{Headers, Offset, ProducerRecord, TopicPartition, TransportError};

/// Deliveries are served once for so many records sent.
const SERVED_EACH: usize = 512;
/// How long to wait between two looks for deliveries, at first and at most: it bounds how late a commit learns that all
/// has arrived. librdkafka's own wait is a loop that keeps a core busy, or takes 100 ms.
const PAUSES: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(1));
/// How long what is on its way may take before an abort drops it.
const LANDING: Duration = Duration::from_secs(2);

/// What became of records sent, by the place of their partition in the producer's list.
#[derive(Default)]
pub(super) struct Deliveries(Mutex<Delivered>);

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

/// One producer of librdkafka. Without a transactional id it sends at once and for good.
pub(super) struct Line {
    client: BaseProducer<Deliveries>,
    transactional: bool,
    /// Every partition that was written to, and its place in `Delivered`.
    partitions: Vec<TopicPartition>,
    places: HashMap<TopicPartition, usize>,
    sent: usize,
}

impl Line {
    pub(super) fn open(shared: &Shared, transactional_id: Option<&str>) -> Result<Self, TransportError> {
        let mut client = shared.config.client(Role::Producer);
        if let Some(id) = transactional_id {
            client.set("transactional.id", id);
            client.set("client.id", id);
            client.set("transaction.timeout.ms", shared.config.transaction_timeout.as_millis().max(1000).to_string());
        }
        let client = BaseProducer::from_config_and_context(&client, Deliveries::default()).map_err(error::of)?;
        let transactional = transactional_id.is_some();
        Ok(Self { client, transactional, partitions: Vec::new(), places: HashMap::new(), sent: 0 })
    }

    /// Fences older producers of the same id.
    pub(super) fn init(&self) -> Result<(), TransportError> {
        // Once a broker has answered. Without one, librdkafka looks for the coordinator again only after half a second.
        self.client.client().fetch_cluster_id(ANSWER);
        self.client.init_transactions(ANSWER).map_err(error::of)
    }

    pub(super) fn client(&self) -> &BaseProducer<Deliveries> {
        &self.client
    }

    /// Forgets what failed before.
    pub(super) fn forgive(&self) {
        self.client.context().with(|delivered| delivered.failed = None);
    }

    /// What failed since this was asked last.
    pub(super) fn take_failure(&self) -> Option<TransportError> {
        let failed = self.client.context().with(|delivered| delivered.failed.take());
        failed.map(|failed| self.failed(failed, "one of those that were written to"))
    }

    /// For each partition written and acknowledged since the last call: the offset after its last record.
    pub(super) fn take_ends(&self) -> impl Iterator<Item = (TopicPartition, Offset)> {
        // Served without waiting: after a flush or commit there is nothing left to wait for.
        self.client.poll(Duration::ZERO);
        let ends = self.client.context().with(|delivered| std::mem::take(&mut delivered.ends));
        let known = self.partitions.iter().cloned().zip(ends);
        known.filter_map(|(partition, end)| Some((partition, end?)))
    }

    /// Waits for what is on its way, drops what does not land, and forgets what became of it.
    pub(super) fn clear(&self) {
        if !self.settle(LANDING) {
            self.client.purge(PurgeConfig::default().queue().inflight());
            self.settle(LANDING);
        }
        self.client.context().with(|delivered| *delivered = Delivered::default());
    }

    /// Has everything sent leave at once, without waiting for it.
    pub(super) fn hurry(&self) {
        // librdkafka reports that it is not done, which it cannot be.
        if let Err(error) = self.client.flush(Duration::ZERO)
            && error.rdkafka_error_code() != Some(Code::OperationTimedOut)
        {
            tracing::debug!(%error, "librdkafka tries again");
        }
    }

    /// Waits until everything sent has been delivered or has failed. `false` if that takes too long.
    pub(super) fn settle(&self, patience: Duration) -> bool {
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
            self.hurry();
            thread::sleep(pause);
            pause = (pause * 2).min(most);
        }
    }

    /// Queues a record.
    pub(super) fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
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

    fn place(&mut self, record: &ProducerRecord) -> usize {
        let partition = TopicPartition { topic: Arc::clone(&record.topic), partition: record.partition };
        let next = self.partitions.len();
        let place = *self.places.entry(partition.clone()).or_insert(next);
        if place == next {
            self.partitions.push(partition);
        }
        place
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

fn owned(headers: &Headers) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new(), |owned, header| {
        owned.insert(OneHeader { key: &header.key, value: header.value.as_deref() })
    })
}
