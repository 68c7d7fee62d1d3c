//! What the tests share.
#![allow(dead_code, reason = "each test file uses its part")]

use tidemill_topology::{StreamsBuilder, Window, Windowed, testing::TopologyTestDriver};

/// A driver of what was built, one partition a topic.
pub(crate) fn driver(builder: &StreamsBuilder) -> TopologyTestDriver {
    TopologyTestDriver::new(&builder.build().expect("the topology is valid")).expect("the driver starts")
}

/// A windowed key.
pub(crate) fn windowed(key: &str, start: i64, end: i64) -> Windowed<String> {
    Windowed { key: key.to_owned(), window: Window { start, end } }
}
