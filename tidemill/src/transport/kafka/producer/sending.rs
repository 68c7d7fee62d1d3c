//! The librdkafka producer and its undelivered records, shared with the commit thread.

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

/// The first and the longest pause between two checks for deliveries. The longest pause limits how late a commit learns
/// that all records have arrived. librdkafka's own wait keeps a core busy, or takes 100 ms.
const PAUSES: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(1));

/// librdkafka repeats a request that sends offsets after this time at the earliest. It does not report the repetition.
const OFFSETS_AGAIN: Duration = Duration::from_millis(500);

/// The facilities of librdkafka's log lines for failed connections and for requests without a timely answer. Single
/// failed connections are logged only with the setting `debug=broker`.
const TROUBLES: [&str; 2] = ["FAIL", "REQTMOUT"];

/// The facility of librdkafka's log lines for requests that end a transaction: one line for each answer and for each
/// missing answer. These lines need the setting `debug=eos`.
const END_ANSWERED: &str = "ENDTXN";

/// Two parts: the records that are being flushed, and the records that are sent meanwhile.
pub(super) const PARTS: usize = 2;

/// The results of sent records. Each record carries a number: the index of its partition in the producer's list, times
/// `PARTS`, plus the index of its part.
pub(super) struct Deliveries {
    delivered: Mutex<Delivered>,
    /// Counts all events of librdkafka. The next fields count the ends of transactions and the troubles among them.
    told: AtomicUsize,
    ends_answered: AtomicUsize,
    troubles: AtomicUsize,
    /// The least severe level of librdkafka's log lines that is printed.
    read: RDKafkaLogLevel,
}

#[derive(Default)]
pub(super) struct Delivered {
    pub(super) parts: [PartResults; PARTS],
    pub(super) failed: Option<KafkaError>,
}

/// The results of one part's records.
#[derive(Default)]
pub(super) struct PartResults {
    /// The number of records that were delivered or have failed.
    pub(super) landed: usize,
    /// The offset after the last delivered record of each partition.
    ends: Vec<Option<Offset>>,
}

impl PartResults {
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

/// A librdkafka producer with the results of its records.
pub(super) struct Sending {
    client: BaseProducer<Deliveries>,
    /// Held while librdkafka's events are served.
    serving: Mutex<()>,
    transactional: bool,
    /// Whether a transaction was begun and is neither committed nor aborted.
    open: AtomicBool,
    /// Whether a request of a transaction may have been sent twice.
    repeated: AtomicBool,
}

impl Sending {
    pub(super) fn open(mut config: ClientConfig, transactional: bool) -> Result<Self, TransportError> {
        let deliveries = Deliveries::new(config.log_level);
        if transactional {
            // Only librdkafka's log shows whether a request was sent again.
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

    /// Whether a transaction is open or being committed.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    /// Opens a transaction and forgets earlier failures.
    pub(super) fn begin(&self) -> Result<(), TransportError> {
        self.client.context().with(|delivered| delivered.failed = None);
        self.client.begin_transaction().map_err(error::of)?;
        self.open.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Whether every sent record was delivered or has failed.
    pub(super) fn has_landed(&self) -> bool {
        self.serve();
        self.client.in_flight_count() == 0
    }

    /// Serves all of librdkafka's events. One poll of librdkafka serves only one event.
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

    /// Whether a request that ended a transaction, or sent its offsets, may have been sent twice and may arrive once
    /// more.
    pub(super) fn may_end_again(&self) -> bool {
        self.repeated.load(Ordering::SeqCst)
    }

    /// Sends the transaction's offsets to the brokers, while its records are in flight.
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
            // A repeated request would replace the offsets of a later transaction.
            self.repeated.store(true, Ordering::SeqCst);
        }
        told
    }

    /// Commits the transaction after all its records are delivered.
    pub(super) fn commit(&self) -> Result<(), TransportError> {
        // If a record failed, librdkafka refuses the commit and gives the reason.
        self.settle_all(ANSWER);
        self.end(self.client.commit_transaction(ANSWER))
    }

    /// Aborts the transaction.
    pub(super) fn abort(&self) -> Result<(), TransportError> {
        self.end(self.client.abort_transaction(ANSWER))
    }

    /// Handles the end of a transaction. After an error, or after more than one answer, the request was repeated or may
    /// have been repeated.
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

    /// Makes all queued records leave immediately, without waiting for them.
    pub(super) fn hurry(&self) {
        // With a timeout of zero, librdkafka always reports a timeout.
        if let Err(error) = self.client.flush(Duration::ZERO)
            && error.rdkafka_error_code() != Some(Code::OperationTimedOut)
        {
            tracing::debug!(%error, "librdkafka retries after an error");
        }
    }

    /// Waits until every sent record was delivered or has failed. Returns `false` if that takes longer than `patience`.
    pub(super) fn settle_all(&self, patience: Duration) -> bool {
        self.settle(patience, || usize::try_from(self.client.in_flight_count()).unwrap_or(0))
    }

    /// Serves deliveries until `waited_for` returns 0. Returns `false` if that takes longer than `patience`.
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
