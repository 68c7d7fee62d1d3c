//! Messages of Twitch chats that were downloaded: by TwitchDownloader, and by yt-dlp (`rechat.json`).

use serde_json::Value;

use super::path::{as_text, find};
use crate::{
    Membership, MembershipKind, Message,
    field::{bits, parse_moment},
};

/// The message, or nothing if the value is no message of such a download.
pub(super) fn message(value: &Value) -> Option<Message> {
    let value = value.get("node").unwrap_or(value);
    let (commenter, message) = (value.get("commenter")?, value.get("message")?);
    let text = |value: &Value, paths: [&str; 2]| paths.iter().find_map(|path| find(value, path).and_then(as_text));
    let fragments = message.get("fragments").and_then(Value::as_array).into_iter().flatten();
    let joined: String = fragments.filter_map(|fragment| fragment.get("text")?.as_str()).collect();
    let moment = ["created_at", "createdAt"].iter().find_map(|name| parse_moment(value.get(*name)?));
    let notice = find(message, "user_notice_params.msg-id").and_then(Value::as_str);
    let kind = match notice {
        Some("sub") => Some(MembershipKind::New),
        Some("resub") => Some(MembershipKind::Milestone),
        Some("subgift" | "submysterygift") => Some(MembershipKind::Gift),
        _ => None,
    };
    Some(Message {
        id: text(value, ["_id", "id"])?,
        // The author of a message that Twitch has forgotten is null.
        user_id: text(commenter, ["_id", "id"]).unwrap_or_else(|| "unknown".to_owned()),
        user_name: text(commenter, ["display_name", "displayName"]),
        text: find(message, "body").and_then(as_text).unwrap_or(joined),
        amount: message.get("bits_spent").and_then(Value::as_u64).and_then(bits),
        membership: kind.map(|kind| Membership { kind, months: None, count: None }),
        timestamp_ms: moment?,
        reply_to: None,
        is_bot: false,
    })
}
