//! Schemas and types say the same, and events survive the way through both.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod drift;
mod evolution;
mod round_trips;
mod samples;

use apache_avro::{Schema, from_value, reader::datum::GenericDatumReader, writer::datum::GenericDatumWriter};
use tidemill_schemas::avro::AvroEvent;

/// An event's bytes, as the codec writes them behind the id.
fn encode<T: AvroEvent>(event: &T) -> Vec<u8> {
    GenericDatumWriter::builder(T::schema()).build().unwrap().write_ser_to_vec(event).unwrap()
}

/// Reads what was written with the same schema.
fn decode<T: AvroEvent>(mut bytes: &[u8]) -> T {
    let event = GenericDatumReader::builder(T::schema()).build().unwrap().read_deser(&mut bytes).unwrap();
    assert!(bytes.is_empty(), "everything was read");
    event
}

/// Reads what was written with another version.
fn resolve<T: AvroEvent>(writer: &Schema, mut bytes: &[u8]) -> Result<T, apache_avro::Error> {
    let reader = GenericDatumReader::builder(writer).reader_schema(T::schema()).build()?;
    from_value(&reader.read_value(&mut bytes)?)
}
