//! A commit or flush between its beginning and its end.

use std::time::Duration;

use tidemill::transport::{Acknowledged, PendingCommit, Progress, TransportError};

use crate::Tested;

/// It may have ended before anybody looked.
pub(crate) struct OnItsWay(Option<Progress>);

impl OnItsWay {
    pub(crate) fn begun(pending: Box<dyn PendingCommit>) -> Self {
        Self(Some(Progress::Pending(pending)))
    }

    /// Whether more may be sent: beside it, or because it has ended.
    pub(crate) fn lets_more_be_sent(&mut self) -> Tested<Option<()>> {
        let mut progress = self.0.take().ok_or("it failed")?;
        if let Progress::Pending(pending) = progress {
            progress = pending.poll(Duration::ZERO)?;
        }
        let lets = match &mut progress {
            Progress::Pending(pending) => pending.may_send_ahead(),
            Progress::Done(_) => true,
        };
        self.0 = Some(progress);
        Ok(lets.then_some(()))
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Result<Acknowledged, TransportError> {
        match self.0 {
            Some(Progress::Pending(pending)) => pending.wait(),
            Some(Progress::Done(acknowledged)) => Ok(acknowledged),
            None => Err(TransportError::Invalid("it failed before".into())),
        }
    }
}
