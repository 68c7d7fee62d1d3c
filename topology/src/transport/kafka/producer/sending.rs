//! What librdkafka has been given and not delivered: shared with the thread that commits.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _, TopicPartitionList,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    consumer::ConsumerGroupMetadata,
    error::KafkaError,
    message::DeliveryResult,
    producer::{BaseProducer, Producer as _, ProducerContext},
    types::RDKafkaErrorCode as Code,
};

use crate::transport::{
    Offset, TransportError,
    kafka::{context, error, offsets::ANSWER},
};

/// How long to wait between two looks for deliveries, at first and at most: it bounds how late a commit learns that all
/// has arrived. librdkafka's own wait is a loop that keeps a core busy, or takes 100 ms.
const PAUSES: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(1));

/// What is flushed, and what is sent meanwhile.
pub(super) const PARTS: usize = 2;

/// What became of records sent. Each carries the place of its partition in the producer's list, times `PARTS`, and the
/// number of its part.
#[derive(Default)]
pub(super) struct Deliveries(Mutex<Delivered>);

#[derive(Default)]
pub(super) struct Delivered {
    pub(super) parts: [Part; PARTS],
    pub(super) failed: Option<KafkaError>,
}

/// What became of those of one part.
#[derive(Default)]
pub(super) struct Part {
    /// How many were delivered or have failed.
    pub(super) landed: usize,
    /// The offset after the last one of each partition.
    ends: Vec<Option<Offset>>,
}

impl Part {
    pub(super) fn take_ends(&mut self) -> Vec<Option<Offset>> {
        std::mem::take(&mut self.ends)
    }

    fn reaches(&mut self, place: usize, end: Offset) {
        if self.ends.len() <= place {
            self.ends.resize(place + 1, None);
        }
        self.ends[place] = self.ends[place].max(Some(end));
    }
}

impl Deliveries {
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Delivered) -> T) -> T {
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
        self.with(|delivered| {
            let part = &mut delivered.parts[place % PARTS];
            part.landed += 1;
            match result {
                Ok(message) => part.reaches(place / PARTS, message.offset() + 1),
                Err((failed, _)) => drop(delivered.failed.get_or_insert_with(|| failed.clone())),
            }
        });
    }
}

/// A producer of librdkafka's, and what became of its records.
pub(super) struct Sending {
    client: BaseProducer<Deliveries>,
}

impl Sending {
    pub(super) fn open(config: &ClientConfig) -> Result<Self, TransportError> {
        let client = BaseProducer::from_config_and_context(config, Deliveries::default()).map_err(error::of)?;
        Ok(Self { client })
    }

    pub(super) fn client(&self) -> &BaseProducer<Deliveries> {
        &self.client
    }

    /// Tells the brokers of the transaction's offsets, while its records are on their way.
    pub(super) fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        membership: &ConsumerGroupMetadata,
    ) -> Result<(), TransportError> {
        self.hurry();
        self.client.send_offsets_to_transaction(offsets, membership, ANSWER).map_err(error::of)
    }

    /// Commits its transaction once everything is delivered.
    pub(super) fn commit(&self) -> Result<(), TransportError> {
        // What failed makes librdkafka refuse the commit, and say how.
        self.settle_all(ANSWER);
        self.client.commit_transaction(ANSWER).map_err(error::of)
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
    pub(super) fn settle_all(&self, patience: Duration) -> bool {
        self.settle(patience, || usize::try_from(self.client.in_flight_count()).unwrap_or(0))
    }

    /// Serves deliveries until nothing is waited for any more. `false` if that takes too long.
    pub(super) fn settle(&self, patience: Duration, waited_for: impl Fn() -> usize) -> bool {
        let started = Instant::now();
        let (mut pause, most) = PAUSES;
        loop {
            let waiting = waited_for();
            if waiting == 0 {
                return true;
            }
            self.client.poll(Duration::ZERO);
            if waited_for() < waiting {
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
}
