//! Avro with a schema registry, in Confluent's wire format: a zero, four bytes of schema id, the record.
//!
//! Schemas are registered, and all versions of their subjects fetched, before the first record:
//! [`Registry::prepare`]. From then on no codec touches the network. A record whose schema is not known yet is
//! [`CodecError::NotYet`](tidemill_state::CodecError::NotYet): its schema is fetched beside the tasks, for as long as
//! the registry needs, and whoever reads the record tries again.

mod client;
mod codec;
mod event;
mod problem;
mod registry;
mod subject;

pub use apache_avro::Schema;
pub use client::{Credentials, RegistrySettings};
pub use codec::Avro;
pub use event::AvroEvent;
pub use problem::RegistryProblem;
pub use registry::Registry;
pub use subject::Subject;
