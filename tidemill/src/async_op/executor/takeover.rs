//! What earlier owners of a partition have done: requests that they answered, steps that they kept.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};

use crate::transport::{ConsumedRecord, Offset, Reader, TopicPartition, Transport, TransportError};

/// How long one read waits.
const WAIT: Duration = Duration::from_millis(100);
const MAX_RECORDS: usize = 1_000;
/// The length of a step's number at the end of its key.
const NUMBER: usize = 4;

/// What is known of a partition's requests before they are read.
#[derive(Debug, Default)]
pub(super) struct Takeover {
    /// Ids of answered requests. The commit did not note them, because their owner died before.
    pub(super) answered: HashSet<Bytes>,
    /// Steps by the id of their request.
    pub(super) steps: HashMap<Bytes, Vec<Bytes>>,
}

impl Takeover {
    pub(super) fn is_empty(&self) -> bool {
        self.answered.is_empty() && self.steps.is_empty()
    }

    pub(super) fn read(
        transport: &dyn Transport,
        responses: Option<(TopicPartition, Offset)>,
        steps: Option<TopicPartition>,
    ) -> Result<Self, TransportError> {
        let mut takeover = Self::default();
        let mut reader = transport.reader()?;
        if let Some((partition, from)) = responses {
            read_to_end(&mut *reader, &partition, from, |record| takeover.answered.extend(record.key))?;
        }
        if let Some(partition) = steps {
            let mut found: BTreeMap<Bytes, Bytes> = BTreeMap::new();
            read_to_end(&mut *reader, &partition, 0, |record| match (record.key, record.value) {
                (Some(key), Some(value)) => drop(found.insert(key, value)),
                (Some(key), None) => drop(found.remove(&key)),
                (None, _) => {}
            })?;
            for (key, step) in found {
                if let Some(at) = key.len().checked_sub(NUMBER) {
                    takeover.steps.entry(key.slice(..at)).or_default().push(step);
                }
            }
        }
        Ok(takeover)
    }
}

/// The key of a step: keys of a request's steps are in order.
pub(super) fn step_key(id: &[u8], number: u32) -> Bytes {
    let mut key = BytesMut::with_capacity(id.len() + NUMBER);
    key.put_slice(id);
    key.put_u32(number);
    key.freeze()
}

/// Reads a partition from an offset up to its present end.
pub(super) fn read_to_end(
    reader: &mut dyn Reader,
    partition: &TopicPartition,
    from: Offset,
    mut each: impl FnMut(ConsumedRecord),
) -> Result<(), TransportError> {
    let bounds = reader.watermarks(partition)?;
    if from >= bounds.high {
        return Ok(());
    }
    reader.assign(&[(partition.clone(), from.max(bounds.low))])?;
    while reader.position(partition)? < bounds.high {
        for fetched in reader.read(WAIT, MAX_RECORDS)? {
            fetched.records.into_iter().for_each(&mut each);
        }
    }
    Ok(())
}
