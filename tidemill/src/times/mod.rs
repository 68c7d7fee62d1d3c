//! Where the event time of a consumed record comes from, and which times are plausible.

mod band;
mod unit;

use std::sync::Arc;

pub(crate) use band::ImplausibleTime;
pub use band::TimeBand;
pub use unit::TimeUnit;

use crate::transport::{ConsumedRecord, Headers, Offset};

/// A consumed record as a timestamp extractor sees it (the arguments of `TimestampExtractor.extract` in Kafka Streams).
/// See the example of [`Consumed::with_timestamp_extractor`](crate::Consumed::with_timestamp_extractor).
#[derive(Debug)]
#[non_exhaustive]
pub struct TimeSource<'a, K, V> {
    /// The record's key.
    pub key: &'a K,
    /// The record's value.
    pub value: &'a V,
    /// The record's headers.
    pub headers: &'a Headers,
    /// The timestamp that the record has on the log, as its producer or the log set it. Usually milliseconds since the
    /// epoch.
    pub timestamp: i64,
    /// The highest event time of the partition's records so far, in milliseconds since the epoch. `None` before the
    /// first record. Kafka Streams calls it `partitionTime`, and it is -1 there before the first record.
    pub partition_time: Option<i64>,
    /// The record's offset.
    pub offset: Offset,
}

impl<'a, K, V> TimeSource<'a, K, V> {
    pub(crate) fn new(key: &'a K, value: &'a V, raw: &'a ConsumedRecord, partition_time_ms: i64) -> Self {
        let partition_time = (partition_time_ms >= 0).then_some(partition_time_ms);
        Self { key, value, headers: &raw.headers, timestamp: raw.timestamp, partition_time, offset: raw.offset }
    }
}

/// Returns a record's event time in milliseconds.
type Extractor<K, V> = Arc<dyn Fn(&TimeSource<'_, K, V>) -> i64 + Send + Sync>;

/// The event times of a source.
pub(crate) struct Times<K, V> {
    /// The unit of the timestamps on the log.
    pub(crate) log_unit: TimeUnit,
    /// `None` takes the record's own timestamp.
    pub(crate) extract: Option<Extractor<K, V>>,
    pub(crate) band: Option<TimeBand>,
}

impl<K, V> Clone for Times<K, V> {
    fn clone(&self) -> Self {
        Self { log_unit: self.log_unit, extract: self.extract.clone(), band: self.band }
    }
}

impl<K, V> Default for Times<K, V> {
    fn default() -> Self {
        Self { log_unit: TimeUnit::default(), extract: None, band: None }
    }
}

impl<K: 'static, V: 'static> Times<K, V> {
    /// The event time of a record, if it is plausible.
    pub(crate) fn of(
        &self,
        (key, value): (&K, &V),
        raw: &ConsumedRecord,
        partition_time_ms: i64,
    ) -> Result<i64, ImplausibleTime> {
        let logged_ms = self.log_unit.to_ms(raw.timestamp);
        let time = match &self.extract {
            Some(extract) => extract(&TimeSource::new(key, value, raw, partition_time_ms)),
            None => logged_ms,
        };
        self.band.map_or(Ok(time), |band| band.check(time, logged_ms))
    }

    /// The same times for records whose value may be null. A record with a null value keeps its own timestamp, because
    /// the extractor needs a value.
    pub(crate) fn of_values(self) -> Times<K, Option<V>> {
        let of_values = |extract: Extractor<K, V>| -> Extractor<K, Option<V>> {
            Arc::new(move |source| match source.value {
                Some(value) => {
                    let TimeSource { key, headers, timestamp, partition_time, offset, .. } = *source;
                    extract(&TimeSource { key, value, headers, timestamp, partition_time, offset })
                }
                None => source.timestamp,
            })
        };
        Times { log_unit: self.log_unit, extract: self.extract.map(of_values), band: self.band }
    }
}
