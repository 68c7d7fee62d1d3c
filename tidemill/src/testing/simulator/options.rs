//! The settings of a simulation.

use std::{collections::BTreeMap, time::Duration};

use crate::{config::StreamsConfig, testing::FaultRates};

/// The settings of a simulation. See the example of [`FaultRates`](super::FaultRates).
#[derive(Debug, Clone)]
pub struct SimulatorOptions {
    /// The seed of all random choices: the same seed and the same calls give the same run.
    pub seed: u64,
    /// The number of instances. Each runs on its own simulated machine with its own disk. Default 2.
    pub instances: usize,
    /// The application's configuration. Default: application id `sim`, session timeout 500 ms, repartition topics
    /// purged every 300 ms, stores flushed every 300 ms, one stream thread in each instance.
    pub config: StreamsConfig,
    /// The number of partitions of every topic that is not in `partitions`. Default 3.
    pub default_partitions: i32,
    /// The number of partitions of single topics. The simulator also creates those that the topology does not name.
    pub partitions: BTreeMap<String, i32>,
    /// How often each fault occurs. Default [`FaultRates::default`].
    pub faults: FaultRates,
}

impl SimulatorOptions {
    /// The default options, with this seed. See the example of [`Simulator`](super::Simulator).
    pub fn new(seed: u64) -> Self {
        let config = StreamsConfig {
            session_timeout: Duration::from_millis(500),
            repartition_purge_interval: Duration::from_millis(300),
            // A run is much shorter than the default flush interval.
            state_flush_interval: Duration::from_millis(300),
            ..StreamsConfig::new("sim")
        };
        let (partitions, faults) = (BTreeMap::new(), FaultRates::default());
        Self { seed, instances: 2, config, default_partitions: 3, partitions, faults }
    }
}
