//! Typed input and output topics of a test.

use std::{cell::RefCell, collections::BTreeMap, marker::PhantomData, rc::Rc, time::Duration};

use tidemill_state::{Codec, CodecError, Coded};

use super::driver::Core;
use crate::{
    error::TaskError,
    partitioner::partition_for,
    record::Data,
    transport::{
        Headers, ProducerConfig, ProducerRecord, Topic, TopicPartition, Transport as _, TransportError, Watermarks,
        embedded::EmbeddedLog,
    },
};

/// A record that a test reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRecord<K, V> {
    /// Its partition.
    pub partition: i32,
    /// Its key.
    pub key: K,
    /// Its value.
    pub value: V,
    /// Its timestamp, in milliseconds since the epoch.
    pub timestamp: i64,
    /// Its headers.
    pub headers: Headers,
}

/// An input topic of the test.
pub struct TestInputTopic<K, V> {
    core: Rc<Core>,
    topic: Topic,
    types: PhantomData<(K, V)>,
}

impl<K: Coded + Data, V: Coded + Data> TestInputTopic<K, V> {
    pub(super) fn new(core: Rc<Core>, topic: &str) -> Self {
        Self { core, topic: topic.into(), types: PhantomData }
    }

    /// Sends a record to the partition of its key and runs the application. Records without a key go to all partitions
    /// in turn.
    ///
    /// # Errors
    /// If a task fails.
    pub fn pipe(&self, key: K, value: V, timestamp: i64) -> Result<(), TaskError> {
        self.enqueue(key, value, timestamp)?;
        self.core.run()
    }

    /// Sends records one after the other. Each record is processed before the next one is sent.
    ///
    /// # Errors
    /// If a task fails.
    pub fn pipe_all(&self, records: impl IntoIterator<Item = (K, V, i64)>) -> Result<(), TaskError> {
        records.into_iter().try_for_each(|(key, value, timestamp)| self.pipe(key, value, timestamp))
    }

    /// Sends a record without processing it. The next step processes it together with other waiting records.
    ///
    /// # Errors
    /// If the record cannot be encoded or sent.
    pub fn enqueue(&self, key: K, value: V, timestamp: i64) -> Result<(), TaskError> {
        let codec = K::Codec::default();
        let key = codec.encode(&key).map_err(invalid)?;
        let value = V::Codec::default().encode(&value).map_err(invalid)?;
        let of_key = key.as_deref().map(|key| codec.partition_bytes(key));
        let partition = partition_of(&self.core.log, &self.topic, of_key)?;
        self.send(partition, key, value, timestamp)
    }

    /// Sends raw bytes, which need not be decodable, and runs the application.
    ///
    /// # Errors
    /// If a task fails.
    pub fn pipe_raw(
        &self,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
    ) -> Result<(), TaskError> {
        let bytes = |raw: Option<&[u8]>| raw.map(bytes::Bytes::copy_from_slice);
        self.send(partition, bytes(key), bytes(value), timestamp)?;
        self.core.run()
    }

    fn send(
        &self,
        partition: i32,
        key: Option<bytes::Bytes>,
        value: Option<bytes::Bytes>,
        timestamp: i64,
    ) -> Result<(), TaskError> {
        let mut producer = self.core.log.producer(&ProducerConfig::default())?;
        let topic = self.topic.clone();
        producer.send(ProducerRecord { topic, partition, timestamp, key, value, headers: Headers::new() })?;
        Ok(producer.flush().map(drop)?)
    }
}

/// The partition for a new record. Records without a key are spread over all partitions.
pub(super) fn partition_of(log: &EmbeddedLog, topic: &str, key: Option<&[u8]>) -> Result<i32, TransportError> {
    let ends = log.end_offsets(topic)?;
    Ok(match key {
        Some(key) => partition_for(Some(key), ends.len() as i32),
        None => (ends.iter().sum::<i64>() % ends.len().max(1) as i64) as i32,
    })
}

fn invalid(error: CodecError) -> TaskError {
    TaskError::Transport(TransportError::Invalid(format!("the record cannot be encoded: {error}").into()))
}

/// An output topic of the test.
pub struct TestOutputTopic<K, V> {
    core: Rc<Core>,
    topic: Topic,
    positions: RefCell<BTreeMap<i32, i64>>,
    types: PhantomData<(K, V)>,
}

impl<K: Coded + Data, V: Coded + Data> TestOutputTopic<K, V> {
    pub(super) fn new(core: Rc<Core>, topic: &str) -> Self {
        Self { core, topic: topic.into(), positions: RefCell::default(), types: PhantomData }
    }

    /// The records since the last read, sorted by partition and then by offset.
    ///
    /// # Errors
    /// If a task fails, or if a record cannot be decoded.
    pub fn read_records(&self) -> Result<Vec<TestRecord<K, V>>, TaskError> {
        self.core.run()?;
        let mut reader = self.core.log.reader()?;
        let mut records = Vec::new();
        for partition in 0..self.core.log.end_offsets(&self.topic)?.len() as i32 {
            let name = TopicPartition { topic: self.topic.clone(), partition };
            let Watermarks { low, high } = reader.watermarks(&name)?;
            let mut position = self.positions.borrow().get(&partition).copied().unwrap_or(low).max(low);
            reader.assign(&[(name, position)])?;
            while position < high {
                let batches = reader.read(Duration::ZERO, 10_000)?;
                if batches.is_empty() {
                    break;
                }
                for raw in batches.into_iter().flat_map(|batch| batch.records) {
                    position = raw.offset + 1;
                    records.push(TestRecord {
                        partition,
                        key: K::Codec::default().decode_opt(raw.key).map_err(invalid)?,
                        value: V::Codec::default().decode_opt(raw.value).map_err(invalid)?,
                        timestamp: raw.timestamp,
                        headers: raw.headers,
                    });
                }
            }
            self.positions.borrow_mut().insert(partition, position);
        }
        Ok(records)
    }

    /// The keys, values and timestamps of the records since the last read.
    ///
    /// # Errors
    /// If a task fails, or if a record cannot be decoded.
    pub fn read(&self) -> Result<Vec<(K, V, i64)>, TaskError> {
        Ok(self.read_records()?.into_iter().map(|record| (record.key, record.value, record.timestamp)).collect())
    }

    /// The values of the records since the last read.
    ///
    /// # Errors
    /// If a task fails, or if a record cannot be decoded.
    pub fn read_values(&self) -> Result<Vec<V>, TaskError> {
        Ok(self.read_records()?.into_iter().map(|record| record.value).collect())
    }
}
