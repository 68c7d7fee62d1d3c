//! Flushes. A flush waits for one part of the sent records. Records sent during the flush belong to another part.

use std::time::{Duration, Instant};

use super::{super::offsets::ANSWER, written::Written};
use crate::transport::{PendingCommit, Progress, TransportError};

/// A flush of one part of the sent records.
pub(super) struct KafkaFlush {
    written: Written,
    part: usize,
    /// The number of records in the part.
    sent: usize,
    since: Instant,
}

impl KafkaFlush {
    pub(super) fn begin(written: Written, part: usize, sent: usize) -> Self {
        Self { written, part, sent, since: Instant::now() }
    }
}

impl PendingCommit for KafkaFlush {
    fn poll(self: Box<Self>, timeout: Duration) -> Result<Progress, TransportError> {
        let ends = self.written.ends_of(self.part, self.sent, timeout);
        if let Some(failed) = self.written.sending.take_failure() {
            return Err(failed);
        }
        match ends {
            Some(ends) => Ok(Progress::Done(ends)),
            None if self.since.elapsed() > ANSWER => Err(too_late()),
            None => Ok(Progress::Pending(self)),
        }
    }

    fn may_send_ahead(&mut self) -> bool {
        true
    }
}

pub(super) fn too_late() -> TransportError {
    TransportError::Retriable("the brokers did not acknowledge all records in time".into())
}
