//! The partitions that a client reads, each with its own queue.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rdkafka::{
    Message, Offset as Position,
    consumer::{BaseConsumer, Consumer as _, base_consumer::PartitionQueue},
    error::KafkaError,
    message::{BorrowedMessage, Headers as _},
    types::RDKafkaErrorCode as Code,
};

use super::{context::Context, error, offsets};
use crate::transport::{ConsumedRecord, Fetched, Header, Headers, Offset, TopicPartition, TransportError, Watermarks};

/// The most records taken from one partition before the next partition's turn.
const TURN: usize = 1000;

/// How often the brokers are asked for the end of a partition whose end was reached.
const LOOK: Duration = Duration::from_millis(250);

/// One partition.
struct Slot {
    queue: PartitionQueue<Context>,
    /// The offset after the last record taken.
    next: Offset,
    /// Whether all records that a committed read could see were taken, as of the last fetch.
    at_end: bool,
    /// The last end that the brokers reported. `at_end` is newer than this value.
    end: Option<Offset>,
    /// When the offsets between `next` and the reached end were last checked.
    looked: Option<Instant>,
    paused: bool,
    /// An error that is returned after the records before it were taken.
    failed: Option<KafkaError>,
}

/// The partitions that a client reads.
#[derive(Default)]
pub(super) struct Inbox {
    slots: BTreeMap<TopicPartition, Slot>,
    /// The partition at which the next fetch starts. It rotates, so no partition is always last.
    turn: usize,
}

impl Inbox {
    /// Gives a partition its own queue. Call this before the client starts to read the partition.
    pub(super) fn open(
        &mut self,
        consumer: &Arc<BaseConsumer<Context>>,
        partition: &TopicPartition,
        next: Offset,
    ) -> Result<(), TransportError> {
        let queue = consumer.split_partition_queue(&partition.topic, partition.partition);
        let mut queue = queue.ok_or_else(|| TransportError::UnknownPartition(partition.clone()))?;
        let signal = Arc::clone(&consumer.context().signal);
        queue.set_nonempty_callback(move || signal.tell());
        let slot = Slot { queue, next, at_end: false, end: None, looked: None, paused: false, failed: None };
        self.slots.insert(partition.clone(), slot);
        Ok(())
    }

    /// Removes partitions.
    pub(super) fn close(&mut self, partitions: &[TopicPartition]) {
        self.slots.retain(|partition, _| !partitions.contains(partition));
    }

    /// Removes all partitions.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.slots.keys()
    }

    pub(super) fn is_caught_up(&self, partition: &TopicPartition) -> bool {
        self.slots.get(partition).is_some_and(|slot| slot.at_end)
    }

    pub(super) fn place(&self, partition: &TopicPartition) -> Option<Offset> {
        self.slots.get(partition).map(|slot| slot.next)
    }

    /// The offset up to which the partition was read. At the end, this includes markers and aborted records.
    pub(super) fn position(&self, partition: &TopicPartition) -> Result<Offset, TransportError> {
        let slot = self.slots.get(partition).ok_or_else(|| not_read(partition))?;
        Ok(if slot.at_end { slot.end.map_or(slot.next, |end| end.max(slot.next)) } else { slot.next })
    }

    /// Whether there may be unseen markers or aborted records, before the reached end or after it, and the brokers were
    /// not asked lately. librdkafka does not report these. The caller then asks for the end and calls
    /// [`Inbox::learn_end`].
    pub(super) fn is_unsettled(&mut self, partition: &TopicPartition) -> bool {
        let Some(slot) = self.slots.get_mut(partition) else { return false };
        let recent = slot.looked.is_some_and(|looked| looked.elapsed() < LOOK);
        if !slot.at_end || recent {
            return false;
        }
        slot.looked = Some(Instant::now());
        true
    }

    /// Records the end of a partition that is not fetched yet. Any later report of the partition's end is newer.
    pub(super) fn expect_end(&mut self, partition: &TopicPartition, end: Offset) {
        if let Some(slot) = self.slots.get_mut(partition) {
            slot.end = Some(end);
        }
    }

    /// Records the end of a partition that is being read. A report that the end was reached may still be in the queue,
    /// and older than `end`. In that case the partition must be read again from the returned offset, to get a new
    /// report.
    pub(super) fn learn_end(&mut self, partition: &TopicPartition, end: Offset) -> Option<Offset> {
        let slot = self.slots.get_mut(partition)?;
        if slot.end == Some(end) {
            return None;
        }
        slot.end = Some(end);
        let unsure = slot.next < end;
        slot.at_end &= !unsure;
        unsure.then_some(slot.next)
    }

    /// Continues with the records from `next` on.
    pub(super) fn moved(&mut self, partition: &TopicPartition, next: Offset) -> Result<(), TransportError> {
        let slot = self.slots.get_mut(partition).ok_or_else(|| not_read(partition))?;
        (slot.next, slot.at_end, slot.failed) = (next, false, None);
        Ok(())
    }

    /// Pauses or resumes taking records of these partitions. Records that librdkafka has already fetched stay in its
    /// queues.
    pub(super) fn pause(&mut self, partitions: &[TopicPartition], paused: bool) -> Result<(), TransportError> {
        partitions.iter().try_for_each(|partition| {
            self.slots.get_mut(partition).ok_or_else(|| not_read(partition)).map(|slot| slot.paused = paused)
        })
    }

    /// Takes at most `max` available records.
    pub(super) fn take(
        &mut self,
        consumer: &BaseConsumer<Context>,
        max: usize,
    ) -> Result<Vec<Fetched>, TransportError> {
        let count = self.slots.len();
        self.turn = (self.turn + 1) % count.max(1);
        let turns = self.slots.iter_mut().enumerate();
        let (first, mut order): (Vec<_>, Vec<_>) = turns.partition(|(place, _)| *place < self.turn);
        order.extend(first);
        let read = order.into_iter().map(|(_, slot)| slot).filter(|(_, slot)| !slot.paused);
        gather(read, max, |partition, slot, max| slot.take(consumer, partition, max))
    }
}

/// Takes records from each partition in turn. An error in one partition does not lose the records taken from others.
/// The next call returns the error.
fn gather<'a, S>(
    slots: impl Iterator<Item = (&'a TopicPartition, S)>,
    max: usize,
    mut take: impl FnMut(&TopicPartition, S, usize) -> Result<Vec<ConsumedRecord>, TransportError>,
) -> Result<Vec<Fetched>, TransportError> {
    let (mut batches, mut left) = (Vec::new(), max);
    for (partition, slot) in slots {
        if left == 0 {
            break;
        }
        let records = match take(partition, slot, left.min(TURN)) {
            Err(_) if !batches.is_empty() => break,
            taken => taken?,
        };
        left -= records.len();
        if !records.is_empty() {
            batches.push(Fetched { partition: partition.clone(), records });
        }
    }
    Ok(batches)
}

impl Slot {
    fn take(
        &mut self,
        consumer: &BaseConsumer<Context>,
        partition: &TopicPartition,
        max: usize,
    ) -> Result<Vec<ConsumedRecord>, TransportError> {
        if let Some(failed) = self.failed.take() {
            self.fail(failed, consumer, partition)?;
        }
        let mut records = Vec::new();
        let mut fell_back = false;
        while records.len() < max {
            match self.queue.poll(Duration::ZERO) {
                // A partition that was just assigned may find its first offset only after a seek, and then begin there.
                Some(Ok(message)) if message.offset() < self.next => {
                    fell_back = true;
                    break;
                }
                Some(Ok(message)) => {
                    self.at_end = false;
                    self.next = message.offset() + 1;
                    records.push(record(&message));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => self.at_end = true,
                // Records that were taken before an error are returned first.
                Some(Err(failed)) if !records.is_empty() => {
                    self.failed = Some(failed);
                    break;
                }
                Some(Err(failed)) => self.fail(failed, consumer, partition)?,
                None => break,
            }
        }
        // Records that were taken before are returned first.
        if fell_back && records.is_empty() {
            let position = Position::Offset(self.next);
            consumer.seek(&partition.topic, partition.partition, position, offsets::ANSWER).map_err(error::of)?;
        }
        Ok(records)
    }

    /// A lasting error is returned on every call until a fetch succeeds or the position changes.
    fn fail(
        &mut self,
        failed: KafkaError,
        consumer: &BaseConsumer<Context>,
        partition: &TopicPartition,
    ) -> Result<(), TransportError> {
        match self.understand(failed.clone(), consumer, partition) {
            Ok(None) => Ok(()),
            Ok(Some(error)) | Err(error) => {
                self.failed = Some(failed);
                Err(error)
            }
        }
    }

    /// Returns the errors of a fetch that librdkafka does not repair itself.
    fn understand(
        &self,
        failed: KafkaError,
        consumer: &BaseConsumer<Context>,
        partition: &TopicPartition,
    ) -> Result<Option<TransportError>, TransportError> {
        match failed.rdkafka_error_code() {
            Some(Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::NoOffset) => {
                let Watermarks { low, high } = offsets::watermarks(consumer, partition)?;
                let (partition, offset) = (partition.clone(), self.next);
                Ok(Some(TransportError::OffsetOutOfRange { partition, offset, low, high }))
            }
            // If the topic exists after all, librdkafka finds it again by itself.
            _ if error::is_unknown(&failed) => Ok(offsets::watermarks(consumer, partition).err()),
            _ => match error::of(failed) {
                TransportError::Retriable(reason) => {
                    tracing::debug!(%partition, %reason, "fetching is interrupted");
                    Ok(None)
                }
                lasting => Ok(Some(lasting)),
            },
        }
    }
}

fn not_read(partition: &TopicPartition) -> TransportError {
    TransportError::Invalid(format!("partition {partition} is not assigned to this client").into())
}

/// Copies a message out of librdkafka's memory.
fn record(message: &BorrowedMessage<'_>) -> ConsumedRecord {
    let (key, value) = (message.key(), message.payload());
    let headers = message.headers().map_or_else(Headers::new, |headers| {
        let header = |header: rdkafka::message::Header<'_, &[u8]>| Header {
            key: header.key.to_owned(),
            value: header.value.map(Bytes::copy_from_slice),
        };
        headers.iter().map(header).collect()
    });
    ConsumedRecord {
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().unwrap_or(-1),
        key: key.map(Bytes::copy_from_slice),
        value: value.map(Bytes::copy_from_slice),
        headers,
    }
}

#[cfg(test)]
mod tests;
