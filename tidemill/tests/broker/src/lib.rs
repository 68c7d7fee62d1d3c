//! Starts Apache Kafka for a test, and makes sure that nothing of it outlives the test.
//!
//! `make kafka-broker` fetches its jars; where that was not done, or Java is missing, [`Broker::start`] says so and
//! returns `None`, and the test is over.
//!
//! ```no_run
//! # use tidemill_broker::{Broker, Options};
//! let Some(mut broker) = Broker::start(Options::new().set("log.segment.bytes", 1 << 20)) else { return };
//! println!("clients connect to {}", broker.bootstrap_servers());
//! broker.kill();
//! broker.restart();
//! ```
#![allow(clippy::missing_panics_doc, reason = "whatever goes wrong with a broker fails the test that wants it")]

mod broker;
mod cluster;
mod installation;
mod java;
mod options;
mod ports;
mod security;

pub use broker::Broker;
pub use cluster::Cluster;
pub use options::Options;
pub use security::{PASSWORD, Security, USER};
