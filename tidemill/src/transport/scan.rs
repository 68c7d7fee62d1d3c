//! Reads a partition to its end.

use std::time::Duration;

use super::{ConsumedRecord, Offset, Reader, TopicPartition, TransportError};

/// The time that one read waits for records.
const WAIT: Duration = Duration::from_millis(100);
/// The number of reads without progress before the log counts as unreachable.
const WAITS: usize = 300;

/// Reads a partition from offset `from` up to offset `end`. Ends early if `take` returns false.
pub(crate) fn read_to_end(
    reader: &mut dyn Reader,
    partition: &TopicPartition,
    from: Offset,
    end: Offset,
    mut take: impl FnMut(ConsumedRecord) -> bool,
) -> Result<(), TransportError> {
    if from >= end {
        return Ok(());
    }
    reader.assign(&[(partition.clone(), from)])?;
    let (mut position, mut waits) = (from, 0);
    while waits < WAITS {
        for record in reader.read(WAIT, 1000)?.into_iter().flat_map(|fetched| fetched.records) {
            if !take(record) {
                return Ok(());
            }
        }
        let now = reader.position(partition)?;
        if now >= end {
            return Ok(());
        }
        waits = if now > position { 0 } else { waits + 1 };
        position = now;
    }
    Err(TransportError::Retriable(format!("{partition} could not be read to its end").into()))
}
