//! The settings of a driver.

use std::collections::BTreeMap;

use crate::config::StreamsConfig;

/// The settings of a driver.
///
/// ```
/// # use tidemill::{StreamsBuilder, testing::{DriverOptions, TopologyTestDriver}};
/// # let builder = StreamsBuilder::new();
/// builder.stream::<u64, i64>("orders").to("copy");
///
/// let mut options = DriverOptions { wall_time_ms: 1_700_000_000_000, ..DriverOptions::default() }.partitions(2);
/// options.partitions.insert("copy".into(), 4);
/// let driver = TopologyTestDriver::with(&builder.build()?, options)?;
/// assert_eq!(driver.plan().tasks().len(), 2, "one task for each partition of the input");
/// assert_eq!(driver.log().end_offsets("copy")?, [0; 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DriverOptions {
    /// The application's configuration. The driver ignores the commit interval, because it commits after every step. It
    /// also ignores the session timeout.
    pub config: StreamsConfig,
    /// The number of partitions of every topic that is not in `partitions`. Default 1.
    pub default_partitions: i32,
    /// The number of partitions of single topics. The driver also creates those that the topology does not name.
    pub partitions: BTreeMap<String, i32>,
    /// The wall time at the start, in milliseconds since the epoch. Default 0.
    pub wall_time_ms: i64,
}

impl Default for DriverOptions {
    fn default() -> Self {
        Self { config: StreamsConfig::new("test"), default_partitions: 1, partitions: BTreeMap::new(), wall_time_ms: 0 }
    }
}

impl DriverOptions {
    /// Sets the number of partitions of every topic that is not in `partitions`. See the example of [`DriverOptions`].
    pub fn partitions(self, default_partitions: i32) -> Self {
        Self { default_partitions, ..self }
    }
}
