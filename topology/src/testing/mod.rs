//! Tests of one's own topology, without a broker, in virtual time.

mod driver;
mod topics;

pub use driver::{DriverOptions, TopologyTestDriver};
pub use topics::{TestInputTopic, TestOutputTopic, TestRecord};
