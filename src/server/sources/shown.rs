//! A source as clients see it.

use serde_json::{Map, Value, json};

use crate::sources::{ChatState, Progress, Running, Seen, SpeechState, Wished};

/// A source with its state. `listens` tells whether its audio is wanted here. `state` is one of resolving, connected, waiting (with `until_ms` and `reason`), refused
/// (with `reason` and `remedy`), ended, paused, stopped. `speech` is there if the stream was ever listened to; its state
/// is one of connecting, listening (with `captions` if those of the stream are read), waiting, refused, ended, paused,
/// stopped.
pub(super) fn source(running: &Running, Seen { source, progress }: &Seen) -> Value {
    let mut shown = Map::new();
    shown.insert("listens".to_owned(), json!(running.listens(source)));
    shown.insert("url".to_owned(), json!(source.url));
    shown.insert("platform".to_owned(), json!(source.platform));
    if let Some(title) = &source.title {
        shown.insert("title".to_owned(), json!(title));
    }
    let current = progress.as_ref().filter(|progress| progress.run == source.run);
    let chat = match (source.wished, current) {
        // The wish is shown at once, even if the owner has not answered yet.
        (Wished::Paused, _) => ChatState::Paused,
        (Wished::Stopped, _) => ChatState::Stopped,
        (Wished::Running, Some(progress)) if !matches!(progress.chat, ChatState::Paused | ChatState::Stopped) => {
            progress.chat.clone()
        }
        (Wished::Running, _) => ChatState::Resolving,
    };
    if let Ok(Value::Object(state)) = serde_json::to_value(chat) {
        shown.extend(state);
    }
    if let Some(progress) = progress.as_ref().filter(|progress| progress.place == source.place()) {
        shown.insert("since_ms".to_owned(), json!(progress.since_ms));
        shown.insert("messages".to_owned(), json!(progress.messages));
        shown.insert("left_out".to_owned(), json!(progress.left_out));
        shown.extend(speech(source.wished, source.run, progress).map(|speech| ("speech".to_owned(), speech)));
    }
    Value::Object(shown)
}

/// The speech of a source: as with the chat, the wish is shown at once.
fn speech(wished: Wished, run: i64, progress: &Progress) -> Option<Value> {
    let speech = progress.speech.as_ref().filter(|speech| speech.state != SpeechState::Off)?;
    let state = match wished {
        Wished::Running if progress.run == run => serde_json::to_value(&speech.state).ok()?,
        Wished::Running => json!({ "state": "connecting" }),
        Wished::Paused => json!({ "state": "paused" }),
        Wished::Stopped => json!({ "state": "stopped" }),
    };
    let mut shown = Map::new();
    shown.extend(state.as_object().cloned().unwrap_or_default());
    shown.insert("since_ms".to_owned(), json!(speech.since_ms));
    shown.insert("segments".to_owned(), json!(speech.segments));
    shown.insert("left_out".to_owned(), json!(speech.left_out));
    Some(Value::Object(shown))
}

/// Whether nothing more comes of a source unless a person acts.
pub(super) fn is_over(Seen { source, progress }: &Seen) -> bool {
    let current = progress.as_ref().filter(|progress| progress.run == source.run);
    source.wished != Wished::Running
        || current.is_some_and(|progress| matches!(progress.chat, ChatState::Ended | ChatState::Refused { .. }))
}

/// Whether the stream has ended or was stopped: nothing of it is read or heard any more.
pub(super) fn has_ended(Seen { source, progress }: &Seen) -> bool {
    let current = progress.as_ref().filter(|progress| progress.run == source.run);
    let is_quiet = |progress: &Progress| progress.speech.as_ref().is_none_or(|speech| speech.state.is_over());
    source.wished == Wished::Stopped
        || current.is_some_and(|progress| progress.chat == ChatState::Ended && is_quiet(progress))
}
