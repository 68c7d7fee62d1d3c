//! What librdkafka has been given and not delivered: shared with the thread that commits.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _, TopicPartitionList,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    consumer::ConsumerGroupMetadata,
    error::{KafkaError, KafkaResult},
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

/// librdkafka repeats a request for offsets after this time at the earliest, and tells nobody.
const OFFSETS_AGAIN: Duration = Duration::from_millis(500);

/// Under these names it tells of connections that fail, of each one with the setting `debug=broker`, and of requests
/// that have no answer in time.
const TROUBLES: [&str; 2] = ["FAIL", "REQTMOUT"];

/// Under this name librdkafka tells of each answer to a request that ends a transaction, and of each time that none
/// came. It belongs to what the setting `debug=eos` brings.
const END_ANSWERED: &str = "ENDTXN";

/// What is flushed, and what is sent meanwhile.
pub(super) const PARTS: usize = 2;

/// What became of records sent. Each carries the place of its partition in the producer's list, times `PARTS`, and the
/// number of its part.
pub(super) struct Deliveries {
    delivered: Mutex<Delivered>,
    /// What librdkafka has told so far, and how much of it was about ends of transactions.
    told: AtomicUsize,
    ends_answered: AtomicUsize,
    troubles: AtomicUsize,
    /// The least important of librdkafka's log lines that somebody wants to read.
    read: RDKafkaLogLevel,
}

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
    fn new(read: RDKafkaLogLevel) -> Self {
        let (delivered, told, ends_answered, troubles) = Default::default();
        Self { delivered, told, ends_answered, troubles, read }
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Delivered) -> T) -> T {
        look(&mut self.delivered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.told.fetch_add(1, Ordering::SeqCst);
        if facility == END_ANSWERED {
            self.ends_answered.fetch_add(1, Ordering::SeqCst);
        }
        if TROUBLES.contains(&facility) {
            self.troubles.fetch_add(1, Ordering::SeqCst);
        }
        if level as i32 <= self.read as i32 {
            context::log(level, facility, message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.told.fetch_add(1, Ordering::SeqCst);
        context::report(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        self.told.fetch_add(1, Ordering::SeqCst);
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
    /// Held by who serves what librdkafka tells.
    serving: Mutex<()>,
    transactional: bool,
    /// A transaction was begun, and neither committed nor aborted.
    open: AtomicBool,
    /// A request of a transaction may have been sent twice.
    repeated: AtomicBool,
}

impl Sending {
    pub(super) fn open(mut config: ClientConfig, transactional: bool) -> Result<Self, TransportError> {
        let deliveries = Deliveries::new(config.log_level);
        if transactional {
            // Whether it sent a request again, librdkafka tells there alone.
            let debug = config.get("debug").filter(|wanted| !wanted.is_empty());
            let debug = debug.map_or("eos,broker".to_owned(), |wanted| format!("{wanted},eos,broker"));
            config.set("debug", debug).set_log_level(RDKafkaLogLevel::Debug);
        }
        let client = BaseProducer::from_config_and_context(&config, deliveries).map_err(error::of)?;
        let (serving, open, repeated) = Default::default();
        Ok(Self { client, serving, transactional, open, repeated })
    }

    pub(super) fn client(&self) -> &BaseProducer<Deliveries> {
        &self.client
    }

    pub(super) fn is_transactional(&self) -> bool {
        self.transactional
    }

    /// Whether a transaction is open, or being committed.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    /// Opens a transaction, and forgets what failed before.
    pub(super) fn begin(&self) -> Result<(), TransportError> {
        self.client.context().with(|delivered| delivered.failed = None);
        self.client.begin_transaction().map_err(error::of)?;
        self.open.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Whether everything sent has been delivered or has failed.
    pub(super) fn has_landed(&self) -> bool {
        self.serve();
        self.client.in_flight_count() == 0
    }

    /// Serves all that librdkafka has to tell: its poll serves one thing.
    pub(super) fn serve(&self) {
        let _serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        let told = || self.client.context().told.load(Ordering::SeqCst);
        loop {
            let before = told();
            self.client.poll(Duration::ZERO);
            if told() == before {
                return;
            }
        }
    }

    /// Whether a request that ended a transaction, or told of its offsets, may have been sent twice, and arrive once
    /// more.
    pub(super) fn may_end_again(&self) -> bool {
        self.repeated.load(Ordering::SeqCst)
    }

    /// Tells the brokers of the transaction's offsets, while its records are on their way.
    pub(super) fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        membership: &ConsumerGroupMetadata,
    ) -> Result<(), TransportError> {
        self.hurry();
        let troubles = || self.client.context().troubles.load(Ordering::SeqCst);
        let (asked, before) = (Instant::now(), troubles());
        let told = self.client.send_offsets_to_transaction(offsets, membership, ANSWER).map_err(error::of);
        self.serve();
        if asked.elapsed() >= OFFSETS_AGAIN && troubles() > before {
            // Offsets that come again would replace those of a later transaction.
            self.repeated.store(true, Ordering::SeqCst);
        }
        told
    }

    /// Commits its transaction once everything is delivered.
    pub(super) fn commit(&self) -> Result<(), TransportError> {
        // What failed makes librdkafka refuse the commit, and say how.
        self.settle_all(ANSWER);
        self.end(self.client.commit_transaction(ANSWER))
    }

    /// Drops its transaction.
    pub(super) fn abort(&self) -> Result<(), TransportError> {
        self.end(self.client.abort_transaction(ANSWER))
    }

    /// How a transaction ended. After an error, or more than one answer, the request was or may have been sent again.
    fn end(&self, ended: KafkaResult<()>) -> Result<(), TransportError> {
        self.serve();
        let answers = self.client.context().ends_answered.swap(0, Ordering::SeqCst);
        if ended.is_err() || answers > 1 {
            self.repeated.store(true, Ordering::SeqCst);
        }
        ended.map_err(error::of)?;
        self.open.store(false, Ordering::SeqCst);
        Ok(())
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
            self.serve();
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
