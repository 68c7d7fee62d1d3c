//! How an application begins.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use common::{Tested, wait_until};
use tidemill::{
    Streams, StreamsBuilder, StreamsConfig,
    transport::{
        Admin, Consumer, ConsumerConfig, Producer, ProducerConfig, Reader, Reason, Transport, TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};

/// A log that refuses transactional producers so many times.
#[derive(Clone)]
struct Refusing {
    log: EmbeddedLog,
    refusals: Arc<AtomicU32>,
    error: fn(Reason) -> TransportError,
}

impl Refusing {
    fn new(refusals: u32, error: fn(Reason) -> TransportError) -> Tested<Self> {
        let log = EmbeddedLog::in_memory();
        log.create("in", 1)?;
        log.create("out", 1)?;
        Ok(Self { log, refusals: Arc::new(AtomicU32::new(refusals)), error })
    }

    fn start(&self) -> Tested<Streams> {
        let builder = StreamsBuilder::new();
        builder.stream::<String, String>("in").to("out");
        Ok(Streams::start(&builder.build()?, StreamsConfig::new("app"), self.clone())?)
    }
}

impl Transport for Refusing {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        self.log.consumer(config)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        self.log.reader()
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        let refused = || self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if config.transactional_id.is_some() && refused().is_ok() {
            return Err((self.error)("not now, or never".into()));
        }
        self.log.producer(config)
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        self.log.admin()
    }
}

#[test]
fn a_log_that_is_away_when_threads_begin_is_waited_for() -> Tested {
    let loading = Refusing::new(3, TransportError::Retriable)?;
    let log = loading.log.clone();
    log.append("in", 0, [Entry::new("k", "v", 0)])?;
    let streams = loading.start()?;
    wait_until("the record passes", || log.end_offsets("out").is_ok_and(|ends| ends == [1]));
    Ok(streams.close()?)
}

#[test]
fn what_threads_are_refused_is_an_error_of_the_start() -> Tested {
    let refused = Refusing::new(1, TransportError::Invalid)?.start();
    let problem = refused.err().ok_or("it started")?.to_string();
    assert!(problem.contains("transactional id 'app-") && problem.contains("not now, or never"), "{problem}");
    Ok(())
}
