//! One librdkafka producer with the state of its records.

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
    super::{TransportState, error, offsets::ANSWER, settings::Role},
    flush::KafkaFlush,
    sending::{Delivered, Deliveries, PARTS, PartResults, Sending},
    written::Written,
};
use crate::transport::{Headers, ProducerRecord, TopicPartition, TransportError};

/// Deliveries are served once for each of this many sent records.
const SERVED_EACH: usize = 512;
/// How long to wait before sending is retried after a full queue.
const QUEUE_FULL: Duration = Duration::from_micros(100);
/// How long an abort waits for records in flight before it drops them.
const LANDING: Duration = Duration::from_secs(2);

/// One librdkafka producer. Without a transactional id, its records are sent immediately and cannot be aborted.
pub(super) struct Line {
    written: Written,
    /// The index of each partition in the list of written partitions.
    places: HashMap<TopicPartition, usize>,
    /// The part that new records belong to, and the number of records in each part.
    part: usize,
    sent: [usize; PARTS],
}

impl Line {
    pub(super) fn open(shared: &TransportState, transactional_id: Option<&str>) -> Result<Self, TransportError> {
        let mut client = shared.config.client(Role::Producer);
        if let Some(id) = transactional_id {
            client.set("transactional.id", id);
            client.set("client.id", id);
            client.set("transaction.timeout.ms", shared.config.transaction_timeout.as_millis().max(1000).to_string());
        }
        let written = Written::by(Sending::open(client, transactional_id.is_some())?);
        Ok(Self { written, places: HashMap::new(), part: 0, sent: [0; PARTS] })
    }

    /// Fences older producers with the same id.
    pub(super) fn init(&self) -> Result<(), TransportError> {
        // Waits until a broker has answered. Without a broker, librdkafka repeats its search for the coordinator only
        // after half a second.
        self.client().client().fetch_cluster_id(ANSWER);
        self.client().init_transactions(ANSWER).map_err(error::of)
    }

    /// The state that is shared with the commit thread.
    pub(super) fn sending(&self) -> &Arc<Sending> {
        &self.written.sending
    }

    /// The partitions that were written to.
    pub(super) fn written(&self) -> &Written {
        &self.written
    }

    fn client(&self) -> &BaseProducer<Deliveries> {
        self.sending().client()
    }

    /// Aborts the transaction and drops its records.
    pub(super) fn abort(&mut self) -> Result<(), TransportError> {
        self.clear();
        self.sending().abort()?;
        // Forgets records that were delivered during the abort.
        self.written.take_ends();
        Ok(())
    }

    /// Ends the current part and begins its flush. Later records belong to another part.
    pub(super) fn end_part(&mut self) -> KafkaFlush {
        let ended = self.part;
        self.part = (ended + 1) % PARTS;
        self.sent[self.part] = 0;
        self.client().context().with(|delivered| delivered.parts[self.part] = PartResults::default());
        self.sending().hurry();
        KafkaFlush::begin(self.written.clone(), ended, self.sent[ended])
    }

    /// Drops records that have not left for the brokers yet.
    pub(super) fn discard(&mut self) {
        self.client().purge(PurgeConfig::default().queue());
        self.clear();
    }

    /// Waits for the records in flight, drops those that are not delivered in time, and forgets all results.
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
        // librdkafka treats timestamp 0 as "now". The first millisecond of 1970 is therefore sent as the second.
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
