//! Runs the connection of one source.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tidemill_chat::{Supervised, Supervision, Told};
use tokio::sync::{mpsc, oneshot};

/// What a connection told, and the sender that confirms that it is on the log.
pub(super) struct Update {
    pub(super) stream_id: String,
    pub(super) run: i64,
    pub(super) told: Told,
    pub(super) taken: oneshot::Sender<()>,
}

/// Runs a connection until nobody takes its events any more. The connection is polled again only when what it told is
/// on the log: that is the backpressure.
pub(super) async fn run(mut chat: Supervised, stream_id: String, run: i64, inbox: mpsc::Sender<Update>) {
    loop {
        let told = chat.next().await;
        let (taken, is_taken) = oneshot::channel();
        if inbox.send(Update { stream_id: stream_id.clone(), run, told, taken }).await.is_err() {
            return;
        }
        if is_taken.await.is_err() {
            return;
        }
    }
}

/// How a stream's connection is supervised. Streams have different jitter, so that they do not come back together.
pub(super) fn supervision(stream_id: &str) -> Supervision {
    let mut hasher = DefaultHasher::new();
    stream_id.hash(&mut hasher);
    Supervision { seed: hasher.finish(), ..Supervision::default() }
}
