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

/// A record that a test reads (`TestRecord` in Kafka Streams). See the example of [`TestOutputTopic::read_records`].
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

/// An input topic of the test (`TestInputTopic` in Kafka Streams).
/// [`TopologyTestDriver::input`](super::TopologyTestDriver::input) returns it. All timestamps are event time in
/// milliseconds since the epoch; the driver adds none by itself.
pub struct TestInputTopic<K, V> {
    core: Rc<Core>,
    topic: Topic,
    types: PhantomData<(K, V)>,
}

impl<K: Coded + Data, V: Coded + Data> TestInputTopic<K, V> {
    pub(super) fn new(core: Rc<Core>, topic: &str) -> Self {
        Self { core, topic: topic.into(), types: PhantomData }
    }

    /// Sends a record to the partition of its key and runs the application (`pipeInput` in Kafka Streams). Records
    /// without a key go to all partitions in turn.
    ///
    /// # Errors
    ///
    /// If a task fails.
    ///
    /// ```
    /// # use tidemill::testing::DriverOptions;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream_values::<String>("lines").to("copy");
    ///
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(2))?;
    /// let lines = driver.input::<(), String>("lines");
    /// lines.pipe((), "first".into(), 0)?;
    /// lines.pipe((), "second".into(), 1)?;
    /// assert_eq!(driver.log().end_offsets("lines")?, [1, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pipe(&self, key: K, value: V, timestamp: i64) -> Result<(), TaskError> {
        self.enqueue(key, value, timestamp)?;
        self.core.run()
    }

    /// Sends records one after the other (`pipeKeyValueList` in Kafka Streams). Each record is processed before the
    /// next one is sent, so a later record with a lower timestamp is out of order.
    ///
    /// # Errors
    ///
    /// If a task fails.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("orders").to("copy");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 20), (2, 50, 10)])?;
    /// assert_eq!(driver.output::<u64, i64>("copy").read()?, [(1, 250, 20), (2, 50, 10)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pipe_all(&self, records: impl IntoIterator<Item = (K, V, i64)>) -> Result<(), TaskError> {
        records.into_iter().try_for_each(|(key, value, timestamp)| self.pipe(key, value, timestamp))
    }

    /// Sends a record without processing it. The next step processes it together with other waiting records. Use it to
    /// test in which order a task takes the records of several inputs.
    ///
    /// # Errors
    ///
    /// If the record cannot be encoded or sent.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let names = builder.table::<u64, String>("users", "names");
    /// builder.stream::<u64, i64>("orders").join(&names, |_, cents, name| format!("{name} {cents}")).to("bills");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").enqueue(1, 250, 20)?;
    /// driver.input::<u64, String>("users").enqueue(1, "Ann".into(), 10)?;
    /// // The user came to the log after the order, but is earlier.
    /// assert_eq!(driver.output::<u64, String>("bills").read_values()?, ["Ann 250"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn enqueue(&self, key: K, value: V, timestamp: i64) -> Result<(), TaskError> {
        let codec = K::Codec::default();
        let key = codec.encode(&key).map_err(invalid)?;
        let value = V::Codec::default().encode(&value).map_err(invalid)?;
        let of_key = key.as_deref().map(|key| codec.partition_bytes(key));
        let partition = partition_of(&self.core.log, &self.topic, of_key)?;
        self.send(partition, key, value, timestamp)
    }

    /// Sends raw bytes, which need not be decodable, and runs the application. `None` is a null. `partition` counts
    /// from 0.
    ///
    /// # Errors
    ///
    /// If a task fails.
    ///
    /// ```
    /// # use tidemill::{RecordHandler, StreamsConfig, testing::DriverOptions};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("orders").to("copy");
    ///
    /// let config = StreamsConfig { deserialization_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    /// driver.input::<u64, i64>("orders").pipe_raw(0, None, Some(b"not 8 bytes"), 0)?;
    /// assert_eq!(driver.status()?.tasks[0].records_dropped, [("orders".to_owned(), "undecodable", 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

/// An output topic of the test (`TestOutputTopic` in Kafka Streams).
/// [`TopologyTestDriver::output`](super::TopologyTestDriver::output) returns it.
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

    /// The records since the last read, sorted by partition and then by offset (`readRecordsToList` in Kafka Streams).
    /// Runs the application first, if records wait.
    ///
    /// # Errors
    ///
    /// If a task fails, or if a record cannot be decoded.
    ///
    /// ```
    /// # use tidemill::testing::DriverOptions;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("orders").to("copy");
    ///
    /// let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(3))?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 0), (5, 50, 1)])?;
    /// let records = driver.output::<u64, i64>("copy").read_records()?;
    /// let places: Vec<_> = records.iter().map(|record| (record.partition, record.key)).collect();
    /// assert_eq!(places, [(0, 1), (1, 5)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// The keys, values and timestamps of the records since the last read (`readKeyValuesToList` in Kafka Streams,
    /// which leaves out timestamps).
    ///
    /// # Errors
    ///
    /// If a task fails, or if a record cannot be decoded.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("orders").map_values(|cents| cents / 100).to("euros");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe(1, 250, 5)?;
    /// assert_eq!(driver.output::<u64, i64>("euros").read()?, [(1, 2, 5)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(&self) -> Result<Vec<(K, V, i64)>, TaskError> {
        Ok(self.read_records()?.into_iter().map(|record| (record.key, record.value, record.timestamp)).collect())
    }

    /// The values of the records since the last read (`readValuesToList` in Kafka Streams).
    ///
    /// # Errors
    ///
    /// If a task fails, or if a record cannot be decoded.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("orders").map_values(|cents| cents / 100).to("euros");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 250, 5), (2, 400, 6)])?;
    /// assert_eq!(driver.output::<u64, i64>("euros").read_values()?, [2, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_values(&self) -> Result<Vec<V>, TaskError> {
        Ok(self.read_records()?.into_iter().map(|record| record.value).collect())
    }
}
