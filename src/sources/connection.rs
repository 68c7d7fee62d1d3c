//! Runs the connection of one source.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tidemill_chat::{Supervised, Supervision};

use super::inbox::Inbox;

/// Runs a connection until nobody takes its events any more. The connection is polled again only when what it told is
/// on the log.
pub(super) async fn run(mut chat: Supervised, inbox: Inbox) {
    while inbox.put(chat.next().await).await.is_ok() {}
}

/// How a stream's connection is supervised.
pub(super) fn supervision(stream_id: &str) -> Supervision {
    Supervision { seed: seed(stream_id), ..Supervision::default() }
}

/// Streams have different jitter, so that they do not come back together.
pub(super) fn seed(stream_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    stream_id.hash(&mut hasher);
    hasher.finish()
}
