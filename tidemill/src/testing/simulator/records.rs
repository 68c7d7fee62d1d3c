//! The records that a simulation's test appends and reads.

use tidemill_state::{Codec, Coded};

use super::{SimulationError, Simulator};
use crate::{testing::input_topic::partition_of, transport::embedded::Entry};

impl Simulator {
    /// Appends a record to the partition of its key. `timestamp` is event time in milliseconds since the epoch. Records
    /// without a key go to all partitions in turn. See the example of [`Simulator`].
    ///
    /// # Errors
    ///
    /// If the record cannot be encoded, or if the topic does not exist.
    pub fn append<K: Coded, V: Coded>(
        &mut self,
        topic: &str,
        key: &K,
        value: &V,
        timestamp: i64,
    ) -> Result<(), SimulationError> {
        let codec = K::Codec::default();
        let key = codec.encode(key)?;
        let of_key = key.as_deref().map(|key| codec.partition_bytes(key));
        let partition = partition_of(&self.log, topic, of_key)?;
        let value = V::Codec::default().encode(value)?;
        self.log.append(topic, partition, [Entry { timestamp, key, value, ..Entry::default() }])?;
        Ok(())
    }

    /// Appends a record to every partition, for example a record so late in event time that it closes all windows.
    ///
    /// # Errors
    ///
    /// If the record cannot be encoded, or if the topic does not exist.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{EmitStrategy, StreamsBuilder, TimeWindows, Windowed, testing::{Simulator, SimulatorOptions}};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let views = builder.stream::<u64, i64>("views").group_by_key().windowed_by(minutes);
    /// views.emit(EmitStrategy::on_window_close()).count("per-minute").to_stream().to("counts");
    ///
    /// let mut simulator = Simulator::new(&builder.build()?, SimulatorOptions::new(42))?;
    /// for user in 1..=9_u64 {
    ///     simulator.append("views", &user, &0_i64, 0)?;
    ///     simulator.run(10)?;
    /// }
    /// simulator.append_everywhere("views", &0_u64, &0_i64, 60_000)?;
    /// simulator.settle()?;
    /// assert_eq!(simulator.read::<Windowed<u64>, i64>("counts")?.len(), 9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_everywhere<K: Coded, V: Coded>(
        &mut self,
        topic: &str,
        key: &K,
        value: &V,
        timestamp: i64,
    ) -> Result<(), SimulationError> {
        let (key, value) = (K::Codec::default().encode(key)?, V::Codec::default().encode(value)?);
        for partition in 0..self.log.end_offsets(topic)?.len() as i32 {
            let (key, value) = (key.clone(), value.clone());
            self.log.append(topic, partition, [Entry { timestamp, key, value, ..Entry::default() }])?;
        }
        Ok(())
    }

    /// Every record of a topic, as partition, key and value, sorted by partition and offset. Each call returns all
    /// records again. See the example of [`Simulator`].
    ///
    /// # Errors
    ///
    /// If the topic does not exist, or if a record cannot be decoded.
    pub fn read<K: Coded, V: Coded>(&self, topic: &str) -> Result<Vec<(i32, K, V)>, SimulationError> {
        let records = self.log.read_all(topic)?.into_iter();
        let decode = |(partition, record): (i32, crate::transport::ConsumedRecord)| {
            let key = K::Codec::default().decode_opt(record.key)?;
            Ok((partition, key, V::Codec::default().decode_opt(record.value)?))
        };
        records.map(decode).collect()
    }
}
