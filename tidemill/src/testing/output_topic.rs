//! Typed output topics of a test.

use std::{cell::RefCell, collections::BTreeMap, marker::PhantomData, rc::Rc, time::Duration};

use tidemill_state::{Codec, Coded};

use super::{driver::Core, input_topic::invalid};
use crate::{
    error::TaskError,
    record::Data,
    transport::{Headers, Topic, TopicPartition, Transport as _, Watermarks},
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
