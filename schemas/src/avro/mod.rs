//! Avro with a schema registry, in Confluent's wire format: a zero byte, four bytes of schema id, the record.
//!
//! [`Registry::prepare`] registers schemas and fetches all versions of their subjects before the first record. After
//! that, codecs send no requests. A record with an unknown schema gives the error
//! [`CodecError::NotYet`](tidemill_state::CodecError::NotYet). The registry's thread fetches the schema, for as long as
//! the registry needs, and the reader of the record tries again.

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
