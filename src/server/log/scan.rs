//! Reads a partition to its end.

use std::time::{Duration, Instant};

use tidemill::transport::{ConsumedRecord, Offset, Reader, TopicPartition, TransportError, Watermarks};

/// The most records that one read returns.
const BATCH: usize = 1000;
/// How long the next record may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How long one read waits for records.
const WAIT: Duration = Duration::from_millis(50);

/// Reads a partition from an offset, or from its beginning if that is later, to its end. Stops when `take` returns
/// false. Returns the offset after the last record taken.
pub(in crate::server) fn scan(
    reader: &mut dyn Reader,
    partition: &TopicPartition,
    from: Offset,
    mut take: impl FnMut(ConsumedRecord) -> bool,
) -> Result<Offset, TransportError> {
    let Watermarks { low, high } = reader.watermarks(partition)?;
    let mut next = from.clamp(low, high);
    reader.assign(&[(partition.clone(), next)])?;
    let (mut wait, mut moved) = (Duration::ZERO, Instant::now());
    while next < high {
        let before = next;
        for record in reader.read(wait, BATCH)?.into_iter().flat_map(|batch| batch.records) {
            next = record.offset + 1;
            if !take(record) {
                return Ok(next);
            }
        }
        // The position also moves past offsets without records: compaction and transactions leave gaps.
        next = next.max(reader.position(partition)?);
        if next > before {
            (wait, moved) = (Duration::ZERO, Instant::now());
        } else if moved.elapsed() < ARRIVAL {
            if wait.is_zero() {
                // This request makes the reader learn the current end, and that only gaps lie before the end.
                reader.watermarks(partition)?;
            }
            wait = WAIT;
        } else {
            return Err(TransportError::Retriable(
                format!("records of {partition} from offset {next} do not arrive").into(),
            ));
        }
    }
    Ok(next)
}
