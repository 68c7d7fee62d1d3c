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
    flush::KafkaFlush,
    sending::{Delivered, Deliveries, PARTS, Part, Sending},
    written::Written,
};
use crate::transport::{Headers, ProducerRecord, TopicPartition, TransportError};

/// Deliveries are served once for so many records sent.
const SERVED_EACH: usize = 512;
/// How long to wait before a full queue is tried again.
const QUEUE_FULL: Duration = Duration::from_micros(100);
/// How long what is on its way may take before an abort drops it.
const LANDING: Duration = Duration::from_secs(2);

/// One producer of librdkafka. Without a transactional id it sends at once and for good.
pub(super) struct Line {
    written: Written,
    /// The place of each partition among those written.
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
        let written = Written::by(Sending::open(client, transactional_id.is_some())?);
        Ok(Self { written, places: HashMap::new(), part: 0, sent: [0; PARTS] })
    }

    /// Fences older producers of the same id.
    pub(super) fn init(&self) -> Result<(), TransportError> {
        // Once a broker has answered. Without one, librdkafka looks for the coordinator again only after half a second.
        self.client().client().fetch_cluster_id(ANSWER);
        self.client().init_transactions(ANSWER).map_err(error::of)
    }

    /// What a thread that commits needs of it.
    pub(super) fn sending(&self) -> &Arc<Sending> {
        &self.written.sending
    }

    /// Where its records went.
    pub(super) fn written(&self) -> &Written {
        &self.written
    }

    fn client(&self) -> &BaseProducer<Deliveries> {
        self.sending().client()
    }

    /// Drops what its transaction has.
    pub(super) fn abort(&mut self) -> Result<(), TransportError> {
        self.clear();
        self.sending().abort()?;
        // What arrived while it was aborted.
        self.written.take_ends();
        Ok(())
    }

    /// Ends a part, to be flushed: what is sent from here on belongs to another.
    pub(super) fn end_part(&mut self) -> KafkaFlush {
        let ended = self.part;
        self.part = (ended + 1) % PARTS;
        self.sent[self.part] = 0;
        self.client().context().with(|delivered| delivered.parts[self.part] = Part::default());
        self.sending().hurry();
        KafkaFlush::begin(self.written.clone(), ended, self.sent[ended])
    }

    /// Forgets what has not left for the brokers yet.
    pub(super) fn discard(&mut self) {
        self.client().purge(PurgeConfig::default().queue());
        self.clear();
    }

    /// Waits for what is on its way, drops what does not land, and forgets what became of it.
    fn clear(&mut self) {
        if !self.sending().settle_all(LANDING) {
            self.client().purge(PurgeConfig::default().queue().inflight());
            self.sending().settle_all(LANDING);
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
                    self.sending().serve();
                    thread::sleep(QUEUE_FULL);
                    next = again;
                }
                Err((failed, _)) => return Err(self.sending().failed(failed, topic)),
            }
        }
        let sent = &mut self.sent[self.part];
        *sent += 1;
        if sent.is_multiple_of(SERVED_EACH) {
            self.sending().serve();
        }
        Ok(())
    }

    fn place(&mut self, record: &ProducerRecord) -> usize {
        let partition = TopicPartition { topic: Arc::clone(&record.topic), partition: record.partition };
        let next = self.written.partitions.len();
        let place = *self.places.entry(partition.clone()).or_insert(next);
        if place == next {
            Arc::make_mut(&mut self.written.partitions).push(partition);
        }
        place
    }
}

fn owned(headers: &Headers) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new(), |owned, header| {
        owned.insert(OneHeader { key: &header.key, value: header.value.as_deref() })
    })
}
