//! Writes events on the log.

use std::sync::Arc;

use prometheus::{IntCounter, IntCounterVec, Registry};
use tidemill::transport::Topic;

use super::{
    pressure::Pressure,
    readers::{self, Readers},
};
use crate::{
    apps::Incoming,
    server::{engine::Engine, late::Late, metrics::counter, problem::Problem},
};

/// Takes in events.
pub(in crate::server) struct Intake {
    pub(super) engine: Arc<Engine>,
    pub(super) pressure: Arc<Pressure>,
    pub(super) readers: Readers,
    pub(super) late: Arc<Late>,
    /// Records taken in, by topic.
    pub(super) accepted: IntCounterVec,
}

impl Intake {
    pub(in crate::server) fn new(
        engine: Arc<Engine>,
        pressure: Arc<Pressure>,
        late: Arc<Late>,
        registry: &Registry,
    ) -> Self {
        let accepted = counter(registry, "tidemill_ingest_records_total", "Records taken in", &["topic"]);
        Self { readers: Readers::new(&engine), engine, pressure, late, accepted }
    }

    /// The limit of what waits to be processed.
    pub(in crate::server) fn pressure(&self) -> &Pressure {
        &self.pressure
    }

    /// Counts records that were taken in.
    pub(in crate::server) fn accepted(&self, topic: &str) -> IntCounter {
        self.accepted.with_label_values(&[topic])
    }

    /// Appends records to their topic.
    pub(super) async fn write(&self, topic: &'static str, records: Vec<Incoming>) -> Result<(), Problem> {
        let log = self.engine.log();
        // The log knows the number of partitions since the start.
        let partitions = log.partitions(topic).map_err(|error| Problem::internal(&error))?;
        let topic = Topic::from(topic);
        let records = records.into_iter().map(|record| readers::record(record, &topic, partitions)).collect();
        let written = log.write(records).await;
        written.map_err(|error| Problem::not_written(&error))
    }
}
