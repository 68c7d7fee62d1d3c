//! The lag of consumer groups, read without joining them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tidemill::transport::{
    Consumer, ConsumerConfig, Offset, TopicPartition, Transport, TransportError, embedded::EmbeddedLog,
};

/// A group's lag on one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) struct PartitionLag {
    pub(in crate::server) partition: TopicPartition,
    /// The committed offset.
    pub(in crate::server) committed: Option<Offset>,
    /// Offsets after the committed one; all offsets of the partition if nothing is committed.
    pub(in crate::server) records: u64,
}

impl PartitionLag {
    fn new(partition: TopicPartition, committed: Option<Offset>, low: Offset, high: Offset) -> Self {
        let records = (high - committed.unwrap_or(0).max(low)).max(0).unsigned_abs();
        Self { partition, committed, records }
    }
}

pub(super) fn of_embedded(log: &EmbeddedLog, group: &str) -> Vec<PartitionLag> {
    let lags = log.group_lag(group).into_iter();
    lags.map(|lag| PartitionLag {
        partition: lag.partition,
        committed: lag.committed,
        records: lag.lag.max(0).unsigned_abs(),
    })
    .collect()
}

/// One client for each group. The clients never join their groups.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<String, Box<dyn Consumer>>>);

impl Groups {
    pub(super) fn lag(
        &self,
        transport: &dyn Transport,
        group: &str,
        partitions: Vec<TopicPartition>,
    ) -> Result<Vec<PartitionLag>, TransportError> {
        self.with(transport, group, |onlooker| {
            let committed = onlooker.committed(&partitions)?;
            let mut lags = Vec::with_capacity(partitions.len());
            for (partition, committed) in partitions.into_iter().zip(committed) {
                let found = onlooker.watermarks(&partition)?;
                let committed = committed.map(|committed| committed.offset);
                lags.push(PartitionLag::new(partition, committed, found.low, found.high));
            }
            Ok(lags)
        })
    }

    fn with<T>(
        &self,
        transport: &dyn Transport,
        group: &str,
        ask: impl FnOnce(&mut dyn Consumer) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(group);
        let mut onlooker = match taken {
            Some(onlooker) => onlooker,
            None => transport.consumer(&ConsumerConfig {
                group: group.to_owned(),
                client_id: format!("{group}-lag"),
                instance_id: None,
                session_timeout: Duration::from_secs(45),
                max_poll_records: 1,
            })?,
        };
        // The client has no partitions. The poll only handles its client's events.
        onlooker.poll(Duration::ZERO)?;
        let answer = ask(&mut *onlooker)?;
        // After an error, the client is dropped and the next call opens another one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(group.to_owned(), onlooker);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_retention_took_is_not_left_to_do() {
        let lag = |committed| PartitionLag::new(TopicPartition::new("t", 0), committed, 10, 30).records;
        assert_eq!((lag(None), lag(Some(5)), lag(Some(25)), lag(Some(31))), (20, 20, 5, 0));
    }
}
