//! Tools for testing a topology without a broker, in virtual time.

mod driver;
mod inline;
mod topics;

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
pub use random::SimulationRandom;
#[cfg(test)]
pub(crate) use simulated_disk::SimulatedDisk;
pub use simulator::{SimulationError, SimulationPeaks, Simulator, SimulatorOptions};
pub use topics::{TestInputTopic, TestOutputTopic, TestRecord};
