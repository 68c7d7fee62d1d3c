//! Stores that a builder declares for custom processors.

use super::{StreamsBuilder, add_store};
use crate::{
    clock::millis,
    dsl::{Materialized, StoreBuilder},
    graph::{StoreKind, StoreName},
};

impl StreamsBuilder {
    /// Declares a key-value store for custom processors (`StreamsBuilder.addStateStore` in Kafka Streams). Name the
    /// store in [`KStream::process`](crate::KStream::process). Several processors may share it. [`build`](Self::build)
    /// returns an error if no processor uses it.
    ///
    /// ```
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Passes on a price if it is lower than the one before.
    /// struct PriceDrops;
    ///
    /// impl Processor<u64, i64, u64, i64> for PriceDrops {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         record: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         let last = ctx.key_value_store::<u64, i64>("last-price")?;
    ///         let before = last.get(&record.key)?;
    ///         last.put(&record.key, &record.value, record.timestamp)?;
    ///         if before.is_some_and(|before| record.value < before) {
    ///             ctx.forward(record);
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.add_key_value_store::<u64, i64>("last-price");
    /// builder.stream::<u64, i64>("prices").process("price-drops", &["last-price"], || PriceDrops).to("drops");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("prices").pipe_all([(1, 350, 0), (1, 300, 1), (1, 320, 2)])?;
    /// assert_eq!(driver.output::<u64, i64>("drops").read_values()?, [300]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_key_value_store<K: 'static, V: 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
    ) -> StoreName {
        add_store(&self.graph, &materialized.into(), StoreKind::KeyValue)
    }

    /// Declares a window store for custom processors (`StreamsBuilder.addStateStore` with a `WindowStore` in Kafka
    /// Streams). `retention` is how long windows are kept, counted from a window's start, in stream time of the task; in
    /// Kafka Streams, in time of the starts that were put. Name the store in [`KStream::process`](crate::KStream::process).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Keeps the readings of each hour.
    /// struct ByHour;
    ///
    /// impl Processor<u64, f64, (), ()> for ByHour {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, (), ()>,
    ///         record: Record<u64, f64>,
    ///     ) -> Result<(), BoxError> {
    ///         let hour = record.timestamp / 3_600_000 * 3_600_000;
    ///         ctx.window_store::<u64, f64>("hours")?.append(&record.key, hour, &record.value, record.timestamp)?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.add_window_store::<u64, f64>("hours", Duration::from_hours(24));
    /// builder.stream::<u64, f64>("readings").process("by-hour", &["hours"], || ByHour);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, f64>("readings").pipe_all([(7, 19.5, 0), (7, 20.0, 1), (7, 21.0, 3_600_000)])?;
    /// let hours = driver.window_store::<u64, f64>("hours", 0)?.expect("it runs");
    /// assert_eq!(hours.elements(&7, 0)?, [19.5, 20.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_window_store<K: 'static, V: 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        retention: std::time::Duration,
    ) -> StoreName {
        let retention_ms = millis(retention);
        add_store(&self.graph, &materialized.into(), StoreKind::Window { retention_ms, by_key: false })
    }

    /// Declares a session store for custom processors (`StreamsBuilder.addStateStore` with a `SessionStore` in Kafka
    /// Streams). `retention` is how long sessions are kept, in stream time, counted from a session's end. Name the store
    /// in [`KStream::process`](crate::KStream::process).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Keeps each booking of a room. Forwards bookings that overlap an earlier one.
    /// struct Overlaps;
    ///
    /// impl Processor<u64, i64, u64, i64> for Overlaps {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         booking: Record<u64, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         let bookings = ctx.session_store::<u64, i64>("bookings")?;
    ///         let (room, start, end) = (booking.key, booking.timestamp, booking.timestamp + booking.value);
    ///         if bookings.find_sessions(&room, start, end).next().transpose()?.is_none() {
    ///             return Ok(bookings.put(&room, start, end, &booking.value)?);
    ///         }
    ///         ctx.forward(booking);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.add_session_store::<u64, i64>("bookings", Duration::from_hours(24));
    /// builder.stream::<u64, i64>("booked").process("overlaps", &["bookings"], || Overlaps).to("refused");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("booked").pipe_all([(7, 60_000, 0), (7, 1_000, 59_000), (8, 1_000, 59_000)])?;
    /// assert_eq!(driver.output::<u64, i64>("refused").read()?, [(7, 1_000, 59_000)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_session_store<K: 'static, V: 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        retention: std::time::Duration,
    ) -> StoreName {
        add_store(&self.graph, &materialized.into(), StoreKind::Session { retention_ms: millis(retention) })
    }

    /// Declares a versioned store for custom processors (`StreamsBuilder.addStateStore` with a `VersionedKeyValueStore`
    /// in Kafka Streams, KIP-889): it keeps the earlier values of each key, so that a processor can ask which value a key
    /// had at a time. `history_retention` is how long versions are kept after they ended, in stream time of the store. It
    /// is also the grace: a version that is put later than that is left out. The latest version is kept for ever. Name
    /// the store in [`KStream::process`](crate::KStream::process).
    ///
    /// The changelog has the key, the plain value, and the version's time as the record's time, as in Kafka Streams. It
    /// is compacted only behind the history and a day, so that a restore finds the history. Kafka counts this from the
    /// times of records: if it compacts while much older events are processed, a restore may find only the latest
    /// version of a key.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Keeps prices. The price of an order is the one at the time of the order, which is a negative amount here.
    /// struct Prices;
    ///
    /// impl FixedKeyProcessor<String, i64, i64> for Prices {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut FixedKeyProcessorContext<'_, String, i64>,
    ///         record: FixedKeyRecord<String, i64>,
    ///     ) -> Result<(), BoxError> {
    ///         let prices = ctx.versioned_store::<String, i64>("prices")?;
    ///         if record.value > 0 {
    ///             prices.put(record.key(), &record.value, record.timestamp)?;
    ///         } else if let Some(price) = prices.get_as_of(record.key(), record.timestamp)? {
    ///             let cost = -record.value * price.value;
    ///             ctx.forward(record.with_value(cost));
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// builder.add_versioned_store::<String, i64>("prices", Duration::from_hours(24));
    /// builder.stream::<String, i64>("in").process_values("costs", &["prices"], || Prices).to("costs");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let input = driver.input::<String, i64>("in");
    /// input.pipe_all([("tea".into(), 300, 1_000), ("tea".into(), 250, 9_000), ("tea".into(), -2, 8_000)])?;
    /// assert_eq!(driver.output::<String, i64>("costs").read_values()?, [600]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_versioned_store<K: 'static, V: 'static>(
        &self,
        materialized: impl Into<Materialized<K, V>>,
        history_retention: std::time::Duration,
    ) -> StoreName {
        let kind = StoreKind::Versioned { history_retention_ms: millis(history_retention) };
        add_store(&self.graph, &materialized.into(), kind)
    }

    /// Adds a store for custom processors (`StreamsBuilder.addStateStore` in Kafka Streams). Name the store in
    /// [`KStream::process`](crate::KStream::process). A store that is equal to one that was added before is that store:
    /// several processors then share it. See the example of [`StoreBuilder`].
    pub fn add_state_store(&self, store: StoreBuilder) -> StoreName {
        let name = store.spec.name.clone();
        store.share(&mut self.graph.borrow_mut().graph);
        name
    }
}
