//! Actions of `live_chat.json`, the file into which yt-dlp writes YouTube's chat.

use serde_json::Value;

use super::path::find;
use crate::{
    Amount, ChatEvent, Membership, MembershipKind, Message,
    field::{parse_moment, parse_money},
};

/// The events of a line, or nothing if the line is no action of such a file.
pub(super) fn events(line: &Value) -> Option<Vec<ChatEvent>> {
    let actions = find(line, "replayChatItemAction.actions").or_else(|| line.get("actions"));
    let actions = match actions.and_then(Value::as_array) {
        Some(actions) => actions.iter().collect(),
        None if is_action(line) => vec![line],
        None => return None,
    };
    Some(actions.into_iter().filter_map(event).collect())
}

fn is_action(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.keys().any(|key| key.ends_with("Action")))
}

fn event(action: &Value) -> Option<ChatEvent> {
    let text = |path| find(action, path).and_then(Value::as_str).map(str::to_owned);
    let deleted = ["markChatItemAsDeletedAction.targetItemId", "removeChatItemAction.targetItemId"];
    if let Some(message_id) = deleted.into_iter().find_map(text) {
        return Some(ChatEvent::Deleted { message_id });
    }
    let banned =
        ["markChatItemsByAuthorAsDeletedAction.externalChannelId", "removeChatItemByAuthorAction.externalChannelId"];
    if let Some(user_id) = banned.into_iter().find_map(text) {
        let timestamp_ms = find(action, "timestampUsec").and_then(parse_moment).unwrap_or(0);
        return Some(ChatEvent::Banned { user_id, timestamp_ms, until_ms: None });
    }
    let item = find(action, "addChatItemAction.item")?.as_object()?;
    let (kind, item) = item.iter().next()?;
    message(kind, item).map(ChatEvent::Message)
}

fn message(kind: &str, item: &Value) -> Option<Message> {
    let (amount, membership, text) = match kind {
        "liveChatTextMessageRenderer" => (None, None, shown(item, "message")),
        "liveChatPaidMessageRenderer" => (money(item), None, shown(item, "message")),
        "liveChatPaidStickerRenderer" => {
            let label = find(item, "sticker.accessibility.accessibilityData.label").and_then(Value::as_str);
            (money(item), None, label.unwrap_or_default().to_owned())
        }
        "liveChatMembershipItemRenderer" => {
            let months = number(&shown(item, "headerPrimaryText"));
            let kind = if months.is_some() { MembershipKind::Milestone } else { MembershipKind::New };
            (None, Some(Membership { kind, months, count: None }), shown(item, "message"))
        }
        "liveChatSponsorshipsGiftPurchaseAnnouncementRenderer" => {
            let count = number(&shown(item, "header.liveChatSponsorshipsHeaderRenderer.primaryText"));
            (None, Some(Membership { kind: MembershipKind::Gift, months: None, count }), String::new())
        }
        _ => return None,
    };
    let name = ["authorName", "header.liveChatSponsorshipsHeaderRenderer.authorName"].map(|path| shown(item, path));
    Some(Message {
        id: item.get("id")?.as_str()?.to_owned(),
        user_id: item.get("authorExternalChannelId")?.as_str()?.to_owned(),
        user_name: name.into_iter().find(|name| !name.is_empty()),
        text,
        amount,
        membership,
        timestamp_ms: item.get("timestampUsec").and_then(parse_moment)?,
        reply_to: None,
        is_bot: false,
    })
}

fn money(item: &Value) -> Option<Amount> {
    parse_money(&shown(item, "purchaseAmountText"))
}

/// The first number of a text such as `Member for 6 months`.
fn number(text: &str) -> Option<u32> {
    let digits: String = text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|number| (1..=1_200).contains(number))
}

/// A text of YouTube's pages: simple, or runs of texts and emoji. A custom emote is its name between colons.
fn shown(item: &Value, path: &str) -> String {
    let Some(text) = find(item, path) else { return String::new() };
    if let Some(simple) = text.get("simpleText").and_then(Value::as_str) {
        return simple.to_owned();
    }
    let runs = text.get("runs").and_then(Value::as_array).into_iter().flatten();
    let run = |run: &Value| {
        let part = find(run, "text").or_else(|| {
            let is_custom = find(run, "emoji.isCustomEmoji") == Some(&Value::Bool(true));
            let id = find(run, "emoji.emojiId").filter(|_| !is_custom);
            id.or_else(|| find(run, "emoji.shortcuts.0"))
        });
        part.and_then(Value::as_str).map(str::to_owned)
    };
    runs.filter_map(run).collect()
}
