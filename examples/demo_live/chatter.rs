//! What the viewers of the demo write.

use std::{sync::Arc, time::Duration};

use tidemill::{Clock as _, SystemClock};
use tidemill_chat_servers::{GenericServer, Line, crowd};

/// A viewer writes about so often.
const PACE: Duration = Duration::from_millis(400);

/// What viewers write about the game, in the order of the script.
const ABOUT: [&str; 12] = [
    "hello from Lisbon!",
    "finally, the final match",
    "is this the last round?",
    "left side again?? no way",
    "watch the tower!!",
    "GOAL!!! what a goal",
    "that was insane",
    "which keyboard is that?",
    "link to the keyboard please",
    "two to one, we win this",
    "good night everyone",
    "gg, best stream ever",
];

/// Writes into the chat until it is stopped.
pub(crate) async fn write(chat: Arc<GenericServer>) {
    // Each run writes other lines, so that no id comes twice.
    let seed = SystemClock.now_ms() as u64;
    for (number, line) in crowd(seed, 100_000, 0).into_iter().enumerate() {
        let at_ms = SystemClock.now_ms();
        let said = ABOUT.get(number / 4 % ABOUT.len()).filter(|_| number % 2 == 0);
        let line = match said {
            Some(text) => Line { text: (*text).to_owned(), kind: tidemill_chat_servers::Kind::Text, at_ms, ..line },
            None => Line { at_ms, ..line },
        };
        chat.post([line]);
        tokio::time::sleep(PACE).await;
    }
}
