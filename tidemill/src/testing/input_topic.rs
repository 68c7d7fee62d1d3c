//! Typed input topics of a test.

use std::{marker::PhantomData, rc::Rc};

use tidemill_state::{Codec, CodecError, Coded};

use super::driver::Core;
use crate::{
    error::TaskError,
    partitioner::partition_for,
    record::Data,
    transport::{
        Headers, ProducerConfig, ProducerRecord, Topic, Transport as _, TransportError, embedded::EmbeddedLog,
    },
};

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
        self.pipe_with_headers(key, value, timestamp, Headers::new())
    }

    /// As [`pipe`](Self::pipe), with headers (`pipeInput` with a `TestRecord` in Kafka Streams).
    ///
    /// # Errors
    ///
    /// If a task fails.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver, transport::Headers};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, i64>("orders").map_values(|cents| cents / 100).to("euros");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let mut headers = Headers::new();
    /// headers.push("trace", "abc");
    /// driver.input::<u64, i64>("orders").pipe_with_headers(1, 250, 20, headers.clone())?;
    /// let euros = driver.output::<u64, i64>("euros").read_records()?;
    /// assert_eq!((euros[0].value, &euros[0].headers), (2, &headers));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pipe_with_headers(&self, key: K, value: V, timestamp: i64, headers: Headers) -> Result<(), TaskError> {
        self.encode_and_send(key, value, timestamp, headers)?;
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
        self.encode_and_send(key, value, timestamp, Headers::new())
    }

    fn encode_and_send(&self, key: K, value: V, timestamp: i64, headers: Headers) -> Result<(), TaskError> {
        let codec = K::Codec::default();
        let key = codec.encode(&key).map_err(invalid)?;
        let value = V::Codec::default().encode(&value).map_err(invalid)?;
        let of_key = key.as_deref().map(|key| codec.partition_bytes(key));
        let partition = partition_of(&self.core.log, &self.topic, of_key)?;
        self.send(partition, key, value, timestamp, headers)
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
        self.send(partition, bytes(key), bytes(value), timestamp, Headers::new())?;
        self.core.run()
    }

    fn send(
        &self,
        partition: i32,
        key: Option<bytes::Bytes>,
        value: Option<bytes::Bytes>,
        timestamp: i64,
        headers: Headers,
    ) -> Result<(), TaskError> {
        let mut producer = self.core.log.producer(&ProducerConfig::default())?;
        let topic = self.topic.clone();
        producer.send(ProducerRecord { topic, partition, timestamp, key, value, headers })?;
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

pub(super) fn invalid(error: CodecError) -> TaskError {
    TaskError::Transport(TransportError::Invalid(format!("the record cannot be encoded: {error}").into()))
}
