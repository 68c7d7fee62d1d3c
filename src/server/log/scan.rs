//! Reads what a partition has, to its end.

use std::time::{Duration, Instant};

use tidemill::transport::{ConsumedRecord, Offset, Reader, TopicPartition, TransportError};

/// Records read at once.
const BATCH: usize = 1000;
/// How long records may be on their way.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How long one wait for them is.
const WAIT: Duration = Duration::from_millis(50);

/// Reads a partition from an offset, or from its beginning if that is later, to its end, while `take` says so.
/// Returns the offset after the last record taken.
pub(in crate::server) fn scan(
    reader: &mut dyn Reader,
    partition: &TopicPartition,
    from: Offset,
    mut take: impl FnMut(ConsumedRecord) -> bool,
) -> Result<Offset, TransportError> {
    let (low, high) = reader.watermarks(partition)?;
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
        // It passes also what is no record: compaction and transactions leave gaps.
        next = next.max(reader.position(partition)?);
        if next > before {
            (wait, moved) = (Duration::ZERO, Instant::now());
        } else if moved.elapsed() < ARRIVAL {
            if wait.is_zero() {
                // Asked while it reads, a reader learns where the end is, and that nothing but gaps lies before it.
                reader.watermarks(partition)?;
            }
            wait = WAIT;
        } else {
            return Err(TransportError::Retriable(format!("what follows offset {next} of {partition} does not come")));
        }
    }
    Ok(next)
}
