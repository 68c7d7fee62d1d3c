//! Flushes: a part of what was sent is waited for, and what is sent meanwhile is not.

use std::time::{Duration, Instant};

use super::{super::offsets::ANSWER, written::Written};
use crate::transport::{PendingCommit, Progress, TransportError};

/// A part of what was sent, on its way.
pub(super) struct KafkaFlush {
    written: Written,
    part: usize,
    /// How many records belong to the part.
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
    TransportError::Retriable("the brokers did not take all records in time".to_owned())
}
