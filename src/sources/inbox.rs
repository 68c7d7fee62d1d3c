//! Where sources put what they tell.

use tidemill_chat::Told;
use tokio::sync::{mpsc, oneshot};

use super::heard::Heard;

/// What a source told, and the sender that confirms that it is on the log.
pub(super) struct Update {
    pub(super) stream_id: String,
    pub(super) run: i64,
    pub(super) what: What,
    pub(super) taken: oneshot::Sender<()>,
}

/// What a source told.
pub(super) enum What {
    /// The chat.
    Chat(Told),
    /// The speech.
    Speech(Heard),
}

impl From<Told> for What {
    fn from(told: Told) -> Self {
        Self::Chat(told)
    }
}

impl From<Heard> for What {
    fn from(heard: Heard) -> Self {
        Self::Speech(heard)
    }
}

/// Where one source puts what it tells.
#[derive(Clone)]
pub(super) struct Inbox {
    pub(super) stream_id: String,
    pub(super) run: i64,
    pub(super) updates: mpsc::Sender<Update>,
}

/// Nobody takes what a source tells any more.
#[derive(Debug)]
pub(super) struct Gone;

impl Inbox {
    /// Puts something, and waits until it is on the log: that is the backpressure.
    pub(super) async fn put(&self, what: impl Into<What>) -> Result<(), Gone> {
        let (taken, is_taken) = oneshot::channel();
        let update = Update { stream_id: self.stream_id.clone(), run: self.run, what: what.into(), taken };
        self.updates.send(update).await.map_err(|_| Gone)?;
        is_taken.await.map_err(|_| Gone)
    }
}
