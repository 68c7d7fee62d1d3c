//! How an application begins.

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use common::{Tested, wait_until};
use tidemill_topology::{
    Streams, StreamsBuilder, StreamsConfig,
    transport::{
        Admin, Consumer, ConsumerConfig, Producer, ProducerConfig, Reader, Transport, TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};

/// A log whose producers cannot be opened at first, as while a broker loads.
#[derive(Clone)]
struct Loading {
    log: EmbeddedLog,
    refusals: Arc<AtomicU32>,
}

impl Transport for Loading {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        self.log.consumer(config)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        self.log.reader()
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        let refused = self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if config.transactional_id.is_some() && refused.is_ok() {
            return Err(TransportError::Retriable("the coordinator loads".to_owned()));
        }
        self.log.producer(config)
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        self.log.admin()
    }
}

#[test]
fn a_log_that_is_away_when_threads_begin_is_waited_for() -> Tested {
    let log = EmbeddedLog::in_memory();
    log.create("in", 1)?;
    log.create("out", 1)?;
    log.append("in", 0, [Entry::new("k", "v", 0)])?;
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").to("out");
    let loading = Loading { log: log.clone(), refusals: Arc::new(AtomicU32::new(3)) };
    let streams = Streams::start(&builder.build()?, StreamsConfig::new("app"), loading)?;
    wait_until("the record passes", || log.end_offsets("out").is_ok_and(|ends| ends == [1]));
    Ok(streams.close()?)
}
