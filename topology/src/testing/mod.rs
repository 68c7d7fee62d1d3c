//! Tests of one's own topology, without a broker, in virtual time.

mod driver;
mod inline;
mod topics;

pub use driver::{DriverOptions, TopologyTestDriver};
#[doc(hidden)]
pub use inline::InlineStreams;
pub use topics::{TestInputTopic, TestOutputTopic, TestRecord};
