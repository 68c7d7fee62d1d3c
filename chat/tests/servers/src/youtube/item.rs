//! Lines as YouTube writes them.

use serde_json::{Value, json};

use super::proto::{
    ChannelProfileDetails, LiveChatMemberMilestoneChatDetails, LiveChatMembershipGiftingDetails, LiveChatMessage,
    LiveChatMessageAuthorDetails, LiveChatMessageDeletedDetails, LiveChatMessageSnippet, LiveChatNewSponsorDetails,
    LiveChatSuperChatDetails, LiveChatTextMessageDetails, LiveChatUserBannedMessageDetails,
    live_chat_message_snippet::{DisplayedContent, type_wrapper::Type},
};
use crate::{Kind, Line, hall::Hall, moment::iso};

/// A line as a message of the stream.
pub(super) fn proto(hall: &Hall, line: &Line) -> LiveChatMessage {
    let text = Some(line.text.clone());
    let (kind, content) = match &line.kind {
        Kind::Text | Kind::Reply { .. } => (
            Type::TextMessageEvent,
            DisplayedContent::TextMessageDetails(LiveChatTextMessageDetails { message_text: text }),
        ),
        Kind::Paid { micros, currency } => {
            let details = LiveChatSuperChatDetails {
                amount_micros: u64::try_from(*micros).ok(),
                currency: Some((*currency).to_owned()),
                amount_display_string: None,
                user_comment: text,
            };
            (Type::SuperChatEvent, DisplayedContent::SuperChatDetails(details))
        }
        Kind::Joined => {
            let details = LiveChatNewSponsorDetails { member_level_name: Some("Crew".into()), is_upgrade: Some(false) };
            (Type::NewSponsorEvent, DisplayedContent::NewSponsorDetails(details))
        }
        Kind::Months(months) => {
            let details = LiveChatMemberMilestoneChatDetails {
                member_level_name: Some("Crew".into()),
                member_month: Some(*months),
                user_comment: text,
            };
            (Type::MemberMilestoneChatEvent, DisplayedContent::MemberMilestoneChatDetails(details))
        }
        Kind::Gifts(count) => {
            let details = LiveChatMembershipGiftingDetails {
                gift_memberships_count: i32::try_from(*count).ok(),
                gift_memberships_level_name: Some("Crew".into()),
            };
            (Type::MembershipGiftingEvent, DisplayedContent::MembershipGiftingDetails(details))
        }
        Kind::Deleted { target } => {
            let details = LiveChatMessageDeletedDetails { deleted_message_id: Some(target.clone()) };
            (Type::MessageDeletedEvent, DisplayedContent::MessageDeletedDetails(details))
        }
        Kind::Banned { user_id, seconds } => {
            let user = ChannelProfileDetails { channel_id: Some(user_id.clone()), display_name: None };
            let details = LiveChatUserBannedMessageDetails {
                banned_user_details: Some(user),
                ban_type: Some(if seconds.is_some() { 2 } else { 1 }),
                ban_duration_seconds: *seconds,
            };
            (Type::UserBannedEvent, DisplayedContent::UserBannedDetails(details))
        }
    };
    LiveChatMessage {
        id: Some(line.id.clone()),
        snippet: Some(LiveChatMessageSnippet {
            r#type: Some(kind.into()),
            live_chat_id: Some(super::YoutubeServer::CHAT.to_owned()),
            author_channel_id: Some(line.user_id.clone()),
            published_at: Some(iso(hall.said_ms(line.at_ms))),
            has_display_content: Some(true),
            display_message: Some(line.text.clone()),
            displayed_content: Some(content),
        }),
        author_details: Some(LiveChatMessageAuthorDetails {
            channel_id: Some(line.user_id.clone()),
            display_name: Some(line.user_name.clone()),
            ..LiveChatMessageAuthorDetails::default()
        }),
    }
}

/// The end of the chat as a message of the stream.
pub(super) fn ended() -> LiveChatMessage {
    let snippet =
        LiveChatMessageSnippet { r#type: Some(Type::ChatEndedEvent.into()), ..LiveChatMessageSnippet::default() };
    LiveChatMessage { id: Some("ended".into()), snippet: Some(snippet), author_details: None }
}

/// A line as a message of an answer over REST. Large numbers are texts.
pub(super) fn json(hall: &Hall, line: &Line) -> Value {
    let text = &line.text;
    let (kind, name, details) = match &line.kind {
        Kind::Text | Kind::Reply { .. } => ("textMessageEvent", "textMessageDetails", json!({ "messageText": text })),
        Kind::Paid { micros, currency } => (
            "superChatEvent",
            "superChatDetails",
            json!({ "amountMicros": micros.to_string(), "currency": currency, "userComment": text, "tier": 2 }),
        ),
        Kind::Joined => ("newSponsorEvent", "newSponsorDetails", json!({ "memberLevelName": "Crew" })),
        Kind::Months(months) => (
            "memberMilestoneChatEvent",
            "memberMilestoneChatDetails",
            json!({ "memberMonth": months, "userComment": text }),
        ),
        Kind::Gifts(count) => {
            ("membershipGiftingEvent", "membershipGiftingDetails", json!({ "giftMembershipsCount": count }))
        }
        Kind::Deleted { target } => {
            ("messageDeletedEvent", "messageDeletedDetails", json!({ "deletedMessageId": target }))
        }
        Kind::Banned { user_id, seconds } => {
            let seconds = seconds.map(|seconds| seconds.to_string());
            let details = json!({ "bannedUserDetails": { "channelId": user_id }, "banDurationSeconds": seconds });
            ("userBannedEvent", "userBannedDetails", details)
        }
    };
    let mut snippet = json!({
        "type": kind,
        "liveChatId": super::YoutubeServer::CHAT,
        "authorChannelId": line.user_id,
        "publishedAt": iso(hall.said_ms(line.at_ms)),
        "displayMessage": text,
    });
    snippet[name] = details;
    let author = json!({ "channelId": line.user_id, "displayName": line.user_name });
    json!({ "kind": "youtube#liveChatMessage", "id": line.id, "snippet": snippet, "authorDetails": author })
}
