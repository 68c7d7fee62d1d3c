//! Messages of YouTube, which are the same over gRPC and over REST.

use serde_json::Value;

use super::proto::{
    LiveChatMessage, LiveChatMessageSnippet,
    live_chat_message_snippet::{DisplayedContent, type_wrapper::Type},
};
use crate::{
    Batch, ChatEvent, Membership, MembershipKind, Message,
    field::{Tidy, amount_of, parse_moment},
};

/// What a message says.
#[derive(Debug, Default)]
pub(super) struct Item {
    id: String,
    author_id: String,
    author_name: Option<String>,
    published_at: String,
    content: Content,
}

#[derive(Debug, Default)]
enum Content {
    Text(String),
    Paid {
        micros: u64,
        currency: String,
        text: String,
    },
    Member {
        kind: MembershipKind,
        months: Option<u32>,
        count: Option<u32>,
        text: String,
    },
    Gone {
        message: String,
    },
    Banned {
        user: String,
        seconds: Option<u64>,
    },
    Ended,
    /// Polls, modes of the chat, and what is invented later.
    #[default]
    Other,
}

impl Item {
    /// A message of the stream.
    pub(super) fn of_proto(message: LiveChatMessage) -> Self {
        let snippet = message.snippet.unwrap_or_default();
        let author = message.author_details.unwrap_or_default();
        let id = message.id.unwrap_or_default();
        Self {
            author_id: author.channel_id.or(snippet.author_channel_id.clone()).unwrap_or_default(),
            author_name: author.display_name,
            published_at: snippet.published_at.clone().unwrap_or_default(),
            content: content(&id, snippet),
            id,
        }
    }

    /// A message of an answer over REST.
    pub(super) fn of_json(message: &Value) -> Self {
        let text = |path: &str| message.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let number = |path: &str| {
            let value = message.pointer(path)?;
            value.as_u64().or_else(|| value.as_str()?.parse().ok())
        };
        let small = |path: &str| number(path).and_then(|number| u32::try_from(number).ok());
        let or_empty = |path: &str| text(path).unwrap_or_default();
        let paid = |details: &str, words: &str| Content::Paid {
            micros: number(&format!("/snippet/{details}/amountMicros")).unwrap_or_default(),
            currency: or_empty(&format!("/snippet/{details}/currency")),
            text: or_empty(&format!("/snippet/{details}/{words}")),
        };
        let member = |kind, months, count, text| Content::Member { kind, months, count, text };
        let id = or_empty("/id");
        let content = match or_empty("/snippet/type").as_str() {
            "textMessageEvent" => Content::Text(
                text("/snippet/textMessageDetails/messageText").unwrap_or_else(|| or_empty("/snippet/displayMessage")),
            ),
            "superChatEvent" => paid("superChatDetails", "userComment"),
            "superStickerEvent" => paid("superStickerDetails", "superStickerMetadata/altText"),
            "newSponsorEvent" => member(MembershipKind::New, None, None, String::new()),
            "memberMilestoneChatEvent" => {
                let details = "/snippet/memberMilestoneChatDetails";
                let (months, text) =
                    (small(&format!("{details}/memberMonth")), or_empty(&format!("{details}/userComment")));
                member(MembershipKind::Milestone, months, None, text)
            }
            "membershipGiftingEvent" => {
                let count = small("/snippet/membershipGiftingDetails/giftMembershipsCount");
                member(MembershipKind::Gift, None, count, String::new())
            }
            "messageDeletedEvent" => {
                Content::Gone { message: or_empty("/snippet/messageDeletedDetails/deletedMessageId") }
            }
            "messageRetractedEvent" => {
                Content::Gone { message: or_empty("/snippet/messageRetractedDetails/retractedMessageId") }
            }
            "tombstone" => Content::Gone { message: id.clone() },
            "userBannedEvent" => Content::Banned {
                user: or_empty("/snippet/userBannedDetails/bannedUserDetails/channelId"),
                seconds: number("/snippet/userBannedDetails/banDurationSeconds"),
            },
            "chatEndedEvent" => Content::Ended,
            _ => Content::Other,
        };
        Self {
            author_id: text("/authorDetails/channelId").unwrap_or_else(|| or_empty("/snippet/authorChannelId")),
            author_name: text("/authorDetails/displayName"),
            published_at: or_empty("/snippet/publishedAt"),
            content,
            id,
        }
    }

    /// When the message was written, by YouTube's clock.
    pub(super) fn written_ms(&self) -> Option<i64> {
        parse_moment(&Value::String(self.published_at.clone()))
    }

    /// Adds what the message says to a batch.
    pub(super) fn tell(self, tidy: &mut Tidy, batch: &mut Batch) {
        let timestamp_ms = self.written_ms().unwrap_or_else(|| tidy.now_ms());
        let Self { id, author_id, author_name, content, .. } = self;
        let mut message =
            Message { id, user_id: author_id, user_name: author_name, timestamp_ms, ..Message::default() };
        match content {
            Content::Text(text) => message.text = text,
            Content::Paid { micros, currency, text } => {
                message.amount = i64::try_from(micros).ok().and_then(|micros| amount_of(micros, &currency));
                message.text = text;
            }
            Content::Member { kind, months, count, text } => {
                let (months, count) = (months.filter(|months| *months > 0), count.filter(|count| *count > 0));
                message.membership = Some(Membership { kind, months, count });
                message.text = text;
            }
            Content::Gone { message } => return batch.events.extend(tidy.deleted(&message)),
            Content::Banned { user, seconds } => {
                let until_ms =
                    seconds.map(|seconds| timestamp_ms.saturating_add_unsigned(seconds.saturating_mul(1_000)));
                return batch.events.extend(tidy.banned(&user, timestamp_ms, until_ms));
            }
            Content::Ended => return batch.ended = true,
            Content::Other => return,
        }
        batch.events.extend(tidy.message(message).map(ChatEvent::Message));
    }
}

fn content(id: &str, snippet: LiveChatMessageSnippet) -> Content {
    let kind = snippet.r#type();
    let member = |kind, months, count, text: Option<String>| Content::Member {
        kind,
        months,
        count,
        text: text.unwrap_or_default(),
    };
    match (kind, snippet.displayed_content) {
        (Type::ChatEndedEvent, _) => Content::Ended,
        (Type::Tombstone, _) => Content::Gone { message: id.to_owned() },
        (_, Some(DisplayedContent::TextMessageDetails(details))) => {
            Content::Text(details.message_text.or(snippet.display_message).unwrap_or_default())
        }
        (_, Some(DisplayedContent::SuperChatDetails(details))) => Content::Paid {
            micros: details.amount_micros(),
            currency: details.currency.unwrap_or_default(),
            text: details.user_comment.unwrap_or_default(),
        },
        (_, Some(DisplayedContent::SuperStickerDetails(details))) => Content::Paid {
            micros: details.amount_micros(),
            currency: details.currency.unwrap_or_default(),
            text: details.super_sticker_metadata.and_then(|sticker| sticker.alt_text).unwrap_or_default(),
        },
        (_, Some(DisplayedContent::NewSponsorDetails(_))) | (Type::NewSponsorEvent, None) => {
            member(MembershipKind::New, None, None, None)
        }
        (_, Some(DisplayedContent::MemberMilestoneChatDetails(details))) => {
            member(MembershipKind::Milestone, details.member_month, None, details.user_comment)
        }
        (_, Some(DisplayedContent::MembershipGiftingDetails(details))) => {
            let count = details.gift_memberships_count.and_then(|count| u32::try_from(count).ok());
            member(MembershipKind::Gift, None, count, None)
        }
        (_, Some(DisplayedContent::MessageDeletedDetails(details))) => {
            Content::Gone { message: details.deleted_message_id.unwrap_or_default() }
        }
        (_, Some(DisplayedContent::MessageRetractedDetails(details))) => {
            Content::Gone { message: details.retracted_message_id.unwrap_or_default() }
        }
        (_, Some(DisplayedContent::UserBannedDetails(details))) => Content::Banned {
            seconds: details.ban_duration_seconds,
            user: details.banned_user_details.and_then(|user| user.channel_id).unwrap_or_default(),
        },
        (Type::TextMessageEvent, None) => Content::Text(snippet.display_message.unwrap_or_default()),
        _ => Content::Other,
    }
}
