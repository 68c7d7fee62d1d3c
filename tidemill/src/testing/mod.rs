//! Tools for testing a topology without a broker, in virtual time.

mod driver;
mod inline;
mod input_topic;
mod output_topic;

mod comparison;
mod executors;
pub(crate) mod faults;
pub(crate) mod faulty_transport;
mod instance;
mod late_ends;
mod markers;
mod outlet;
mod random;
mod simulated_disk;
mod simulator;

pub use driver::{DriverOptions, TopologyTestDriver};
pub use faults::FaultRates;
#[cfg(test)]
pub(crate) use faults::{Fate, Process};
#[doc(hidden)]
pub use inline::InlineStreams;
pub use input_topic::TestInputTopic;
pub use output_topic::{TestOutputTopic, TestRecord};
pub use random::SimulationRandom;
#[cfg(test)]
pub(crate) use simulated_disk::SimulatedDisk;
pub use simulator::{SimulationError, SimulationPeaks, Simulator, SimulatorOptions};
