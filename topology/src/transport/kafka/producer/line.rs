//! One librdkafka producer, and what became of what it was given.

use std::{
    collections::HashMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    error::KafkaError,
    message::{Header as OneHeader, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig},
    types::RDKafkaErrorCode as Code,
};

use super::{
    super::{Shared, error, offsets::ANSWER, settings::Role},
    sending::{Delivered, Deliveries, PARTS, Part, Sending},
};
use crate::transport::{Headers, Offset, ProducerRecord, TopicPartition, TransportError};

/// Deliveries are served once for so many records sent.
const SERVED_EACH: usize = 512;
/// How long to wait before a full queue is tried again.
const QUEUE_FULL: Duration = Duration::from_micros(100);
/// How long what is on its way may take before an abort drops it.
const LANDING: Duration = Duration::from_secs(2);

/// One producer of librdkafka. Without a transactional id it sends at once and for good.
pub(super) struct Line {
    sending: Arc<Sending>,
    transactional: bool,
    /// Every partition that was written to, and its place in a `Part`.
    partitions: Vec<TopicPartition>,
    places: HashMap<TopicPartition, usize>,
    /// The part to which belongs what is sent, and how much belongs to each.
    part: usize,
    sent: [usize; PARTS],
}

impl Line {
    pub(super) fn open(shared: &Shared, transactional_id: Option<&str>) -> Result<Self, TransportError> {
        let mut client = shared.config.client(Role::Producer);
        if let Some(id) = transactional_id {
            client.set("transactional.id", id);
            client.set("client.id", id);
            client.set("transaction.timeout.ms", shared.config.transaction_timeout.as_millis().max(1000).to_string());
        }
        let transactional = transactional_id.is_some();
        let sending = Arc::new(Sending::open(client, transactional)?);
        let (partitions, places) = (Vec::new(), HashMap::new());
        Ok(Self { sending, transactional, partitions, places, part: 0, sent: [0; PARTS] })
    }

    /// Fences older producers of the same id.
    pub(super) fn init(&self) -> Result<(), TransportError> {
        // Once a broker has answered. Without one, librdkafka looks for the coordinator again only after half a second.
        self.client().client().fetch_cluster_id(ANSWER);
        self.client().init_transactions(ANSWER).map_err(error::of)
    }

    /// What a thread that commits needs of it.
    pub(super) fn sending(&self) -> &Arc<Sending> {
        &self.sending
    }

    pub(super) fn client(&self) -> &BaseProducer<Deliveries> {
        self.sending.client()
    }

    /// Forgets what failed before.
    pub(super) fn forgive(&self) {
        self.client().context().with(|delivered| delivered.failed = None);
    }

    /// Drops what its transaction has.
    pub(super) fn abort(&mut self) -> Result<(), TransportError> {
        self.clear();
        self.sending.abort()?;
        // What arrived while it was aborted.
        self.take_ends().for_each(drop);
        Ok(())
    }

    /// Whether everything sent has been delivered or has failed.
    pub(super) fn has_landed(&self) -> bool {
        self.sending.serve();
        self.client().in_flight_count() == 0
    }

    /// What failed since this was asked last.
    pub(super) fn take_failure(&self) -> Option<TransportError> {
        let failed = self.client().context().with(|delivered| delivered.failed.take());
        failed.map(|failed| self.failed(failed, "one of those that were written to"))
    }

    /// For each partition written and acknowledged since the last call: the offset after its last record.
    pub(super) fn take_ends(&self) -> impl Iterator<Item = (TopicPartition, Offset)> {
        // Served without waiting: after a flush or commit there is nothing left to wait for.
        self.sending.serve();
        let parts = self.client().context().with(|delivered| delivered.parts.each_mut().map(Part::take_ends));
        let mut ends = vec![None; self.partitions.len()];
        for part in parts {
            ends.iter_mut().zip(part).for_each(|(end, found)| *end = found.max(*end));
        }
        self.named(ends)
    }

    fn named(&self, ends: Vec<Option<Offset>>) -> impl Iterator<Item = (TopicPartition, Offset)> {
        let known = self.partitions.iter().cloned().zip(ends);
        known.filter_map(|(partition, end)| Some((partition, end?)))
    }

    /// Ends a part, and gives its number: what is sent from here on belongs to another.
    pub(super) fn end_part(&mut self) -> usize {
        let ended = self.part;
        self.part = (ended + 1) % PARTS;
        self.sent[self.part] = 0;
        self.client().context().with(|delivered| delivered.parts[self.part] = Part::default());
        ended
    }

    /// Waits up to `timeout` until all of a part has been delivered or has failed; then it tells where partitions end.
    pub(super) fn ends_of(&self, part: usize, timeout: Duration) -> Option<Vec<(TopicPartition, Offset)>> {
        let deliveries = self.client().context();
        let settled = self.sending.settle(timeout, || {
            let landed = deliveries.with(|delivered| delivered.parts[part].landed);
            self.sent[part].saturating_sub(landed)
        });
        settled.then(|| self.named(deliveries.with(|delivered| delivered.parts[part].take_ends())).collect())
    }

    /// Waits for what is on its way, drops what does not land, and forgets what became of it.
    pub(super) fn clear(&mut self) {
        if !self.sending.settle_all(LANDING) {
            self.client().purge(PurgeConfig::default().queue().inflight());
            self.sending.settle_all(LANDING);
        }
        self.sent = [0; PARTS];
        self.client().context().with(|delivered| *delivered = Delivered::default());
    }

    /// Queues a record.
    pub(super) fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        let place = self.place(&record) * PARTS + self.part;
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
            match self.client().send(next) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(Code::QueueFull), again)) if started.elapsed() < ANSWER => {
                    self.sending.serve();
                    thread::sleep(QUEUE_FULL);
                    next = again;
                }
                Err((failed, _)) => return Err(self.failed(failed, topic)),
            }
        }
        let sent = &mut self.sent[self.part];
        *sent += 1;
        if sent.is_multiple_of(SERVED_EACH) {
            self.sending.serve();
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

    /// What ended a transaction that failed: librdkafka tells whoever would begin another.
    fn end_of_transaction(&self) -> Option<TransportError> {
        match self.client().begin_transaction() {
            Err(ended) => Some(error::of(ended)),
            // There was none.
            Ok(()) => self.sending.abort().err(),
        }
    }

    fn failed(&self, failed: KafkaError, topic: &str) -> TransportError {
        match failed.rdkafka_error_code() {
            Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
                TransportError::UnknownTopic(topic.to_owned())
            }
            // In a transaction that is over.
            Some(Code::State | Code::PurgeQueue | Code::PurgeInflight) if self.transactional => {
                self.end_of_transaction().unwrap_or_else(|| TransportError::Abort(failed.to_string()))
            }
            Some(Code::Fatal) => match self.client().client().fatal_error() {
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
