//! Encodes events to Avro, and decodes them.

use std::{
    collections::HashMap,
    fmt,
    marker::PhantomData,
    sync::{Arc, PoisonError, RwLock},
};

use apache_avro::{Schema, from_value, reader::datum::GenericDatumReader, writer::datum::GenericDatumWriter};
use bytes::Bytes;
use tidemill_state::{Codec, CodecError};

use super::{AvroEvent, Registry, registry::LookUp};

/// The first byte of every encoded value.
const MAGIC: u8 = 0;
/// Length of the magic byte and the schema id, in bytes.
const HEADER: usize = 5;
/// Maximum length of an error in characters: Avro's own errors quote whole schemas.
const TOLD: usize = 400;
const EXPECTED: &str = "Avro of this type";

/// The codec of a topic's values; see [`Registry::codec`].
///
/// The codec itself sends no requests. Values with the reader's own schema are decoded directly. Values with another
/// version are first resolved by Avro's rules.
pub struct Avro<T> {
    registry: Arc<Registry>,
    topic: String,
    writer: Option<(u32, Writer)>,
    readers: RwLock<HashMap<u32, Arc<Reader>>>,
    event: PhantomData<fn() -> T>,
}

type Writer = GenericDatumWriter<'static>;

enum Reader {
    Same(GenericDatumReader<'static>),
    Resolving(GenericDatumReader<'static>),
}

impl<T: AvroEvent> Avro<T> {
    pub(super) fn new(registry: Arc<Registry>, topic: &str, id: Option<u32>) -> Self {
        let writer = id.zip(GenericDatumWriter::builder(T::schema()).build().ok());
        Self { registry, topic: topic.to_owned(), writer, readers: RwLock::default(), event: PhantomData }
    }

    fn reader(&self, id: u32) -> Result<Arc<Reader>, CodecError> {
        if let Some(reader) = self.readers.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(reader.clone());
        }
        let writer = match self.registry.look_up(id) {
            LookUp::Known(schema) => schema,
            LookUp::NotYet(reason) => return Err(CodecError::NotYet { reason }),
            LookUp::Denied(reason) => return Err(malformed(reason)),
        };
        let reader = Arc::new(reader::<T>(writer).map_err(|error| malformed(error.to_string()))?);
        self.readers.write().unwrap_or_else(PoisonError::into_inner).insert(id, reader.clone());
        Ok(reader)
    }
}

fn reader<T: AvroEvent>(writer: &'static Schema) -> Result<Reader, apache_avro::Error> {
    let builder = GenericDatumReader::builder(writer);
    Ok(if writer == T::schema() {
        Reader::Same(builder.build()?)
    } else {
        Reader::Resolving(builder.reader_schema(T::schema()).build()?)
    })
}

impl<T: AvroEvent> Codec<T> for Avro<T> {
    fn encode_into(&self, event: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let Some((id, writer)) = &self.writer else {
            return Err(malformed(format!("the schema of topic '{}' is not registered", self.topic)));
        };
        out.push(MAGIC);
        out.extend_from_slice(&id.to_be_bytes());
        writer.write_ser(out, event).map(|_| ()).map_err(|error| malformed(error.to_string()))
    }

    fn decode(&self, bytes: Bytes) -> Result<T, CodecError> {
        let (id, mut body) = split(&bytes)?;
        let event = match &*self.reader(id)? {
            Reader::Same(reader) => reader.read_deser(&mut body),
            Reader::Resolving(reader) => reader.read_value(&mut body).and_then(|value| from_value(&value)),
        };
        let event = event.map_err(|error| malformed(error.to_string()))?;
        if body.is_empty() { Ok(event) } else { Err(malformed(format!("{} bytes follow the value", body.len()))) }
    }
}

/// Splits a value into the schema's id and the Avro body.
fn split(bytes: &[u8]) -> Result<(u32, &[u8]), CodecError> {
    match bytes {
        [MAGIC, a, b, c, d, ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), &bytes[HEADER..])),
        _ => Err(malformed("the value does not begin with a zero byte and the id of a schema".to_owned())),
    }
}

fn malformed(mut reason: String) -> CodecError {
    if let Some((end, _)) = reason.char_indices().nth(TOLD) {
        reason.truncate(end);
        reason.push('…');
    }
    CodecError::Malformed { expected: EXPECTED, reason }
}

impl<T> fmt::Debug for Avro<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Avro").field("topic", &self.topic).finish_non_exhaustive()
    }
}
