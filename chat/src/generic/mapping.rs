//! Where a message has what.

use serde_json::{Map, Value};

use super::path::{as_text, find};
use crate::{
    Amount, ChatError, ChatEvent, Membership, MembershipKind, Message, Source,
    field::{amount_of, parse_moment, parse_money},
};

/// The usual names of each field, tried in this order.
const USUAL: [(&str, &[&str]); 15] = [
    ("id", &["id", "message_id", "msg_id", "messageId", "_id", "uuid"]),
    (
        "user_id",
        &[
            "user_id",
            "userId",
            "author_id",
            "author.id",
            "author.channelId",
            "user.id",
            "sender.id",
            "sender_id",
            "uid",
        ],
    ),
    (
        "user_name",
        &[
            "user_name",
            "username",
            "display_name",
            "author.name",
            "author.display_name",
            "author_name",
            "user.name",
            "user.username",
            "user.display_name",
            "sender.name",
            "sender.username",
            "author",
            "user",
            "sender",
            "nick",
            "name",
        ],
    ),
    ("text", &["text", "message", "msg", "message_text", "body", "content", "comment", "message.text", "message.body"]),
    (
        "timestamp",
        &[
            "timestamp",
            "timestamp_ms",
            "time",
            "created_at",
            "createdAt",
            "published_at",
            "publishedAt",
            "sent_at",
            "date",
            "ts",
        ],
    ),
    ("amount", &["amount", "money", "donation"]),
    ("currency", &["currency", "amount.currency", "money.currency", "donation.currency"]),
    ("membership", &["membership", "subscription"]),
    ("months", &["membership.months", "subscription.months", "months"]),
    ("gifts", &["membership.count", "subscription.count", "gift_count", "gifts"]),
    ("reply_to", &["reply_to", "replyTo", "reply_to_id", "parent_id", "reply.id", "reply_to.id"]),
    ("bot", &["is_bot", "bot", "author.is_bot", "user.is_bot"]),
    ("type", &["type", "event", "kind"]),
    ("target", &["message_id", "target_id", "deleted_message_id", "target", "id"]),
    ("until", &["until_ms", "until", "expires_at"]),
];

/// Where a message has what. The option `fields` of a source names paths; other fields have their usual names.
///
/// The fields are `id`, `user_id`, `user_name`, `text`, `timestamp`, `amount`, `currency`, `membership` (`new`, `gift`
/// or `milestone`), `months`, `gifts`, `reply_to`, `bot`, `type`, `target` (of a withdrawal) and `until` (of a ban). A
/// `type` of `deleted`, `banned` or `ended` makes an event what it says; every other type is a message.
#[derive(Debug, Clone)]
pub struct Mapping(Map<String, Value>);

impl Mapping {
    /// Reads the option `fields`.
    ///
    /// # Errors
    /// [`ChatError::Refused`] if the option is not an object of texts, or names an unknown field.
    pub fn of(source: &Source) -> Result<Self, ChatError> {
        let paths = match source.options.get("fields") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(paths)) if paths.values().all(Value::is_string) => paths.clone(),
            Some(_) => {
                let remedy = "give an object of paths, such as {\"text\": \"data.body\"}";
                return Err(ChatError::refused("the option fields is not an object of texts", remedy));
            }
        };
        match paths.keys().find(|field| !USUAL.iter().any(|(known, _)| known == field)) {
            Some(unknown) => {
                let known: Vec<_> = USUAL.iter().map(|(field, _)| *field).collect();
                let reason = format!("the option fields names an unknown field {unknown:?}");
                Err(ChatError::refused(reason, format!("name fields out of {}", known.join(", "))))
            }
            None => Ok(Self(paths)),
        }
    }

    /// What a value says, or nothing if it says nothing about a chat. `now_ms` is the time of what has no time.
    pub fn event(&self, value: &Value, now_ms: i64) -> Option<ChatEvent> {
        let kind = self.text(value, "type").unwrap_or_default().to_ascii_lowercase().replace('-', "_");
        match kind.as_str() {
            "deleted" | "delete" | "message_deleted" | "messagedeleted" | "deletion" | "removed" => {
                Some(ChatEvent::Deleted { message_id: self.text(value, "target")? })
            }
            "banned" | "ban" | "user_banned" | "userbanned" | "timeout" => Some(ChatEvent::Banned {
                user_id: self.text(value, "user_id")?,
                timestamp_ms: self.moment(value, "timestamp").unwrap_or(now_ms),
                until_ms: self.moment(value, "until"),
            }),
            _ => self.message(value, now_ms).map(ChatEvent::Message),
        }
    }

    /// Whether a value says that the chat is over.
    pub(crate) fn ends(&self, value: &Value) -> bool {
        let kind = self.text(value, "type").unwrap_or_default().to_ascii_lowercase();
        matches!(kind.as_str(), "ended" | "end" | "chat_ended" | "chatended")
    }

    fn message(&self, value: &Value, now_ms: i64) -> Option<Message> {
        let user_name = self.text(value, "user_name");
        let timestamp_ms = self.moment(value, "timestamp");
        Some(Message {
            // Without an id and a time, equal texts of an author are different messages: the reader gives them ids.
            id: self.text(value, "id").unwrap_or_default(),
            user_id: self.text(value, "user_id").or_else(|| user_name.clone())?,
            user_name,
            text: self.text(value, "text").unwrap_or_default(),
            amount: self.amount(value),
            membership: self.membership(value),
            timestamp_ms: timestamp_ms.unwrap_or(now_ms),
            reply_to: self.text(value, "reply_to"),
            is_bot: self.values(value, "bot").any(|value| *value == Value::Bool(true)),
        })
    }

    /// An amount: an object with micros, a text such as `$5.00`, or a number of units beside a currency.
    fn amount(&self, value: &Value) -> Option<Amount> {
        let currency = self.text(value, "currency").unwrap_or_default();
        self.values(value, "amount").find_map(|amount| {
            let number = find(amount, "amount").or_else(|| find(amount, "value")).unwrap_or(amount);
            let micros = find(amount, "micros").or_else(|| find(amount, "amount_micros")).and_then(Value::as_i64);
            let written = number
                .as_str()
                .and_then(|text| parse_money(text).or_else(|| parse_money(&format!("{text} {currency}"))));
            let units = number.as_f64().map(|units| (units * 1e6).round() as i64);
            written.or_else(|| amount_of(micros.or(units)?, &currency))
        })
    }

    fn membership(&self, value: &Value) -> Option<Membership> {
        let kind = |value: &Value| {
            let kind = find(value, "kind").or_else(|| find(value, "type")).unwrap_or(value).as_str()?;
            match kind.to_ascii_lowercase().as_str() {
                "new" | "sub" | "join" | "joined" | "new_member" => Some(MembershipKind::New),
                "gift" | "gifted" | "subgift" | "submysterygift" => Some(MembershipKind::Gift),
                "milestone" | "resub" | "renewal" => Some(MembershipKind::Milestone),
                _ => None,
            }
        };
        let kind = self.values(value, "membership").find_map(kind)?;
        Some(Membership {
            kind,
            months: self.number(value, "months", 1_200),
            count: self.number(value, "gifts", 10_000),
        })
    }

    fn number(&self, value: &Value, field: &str, max: u64) -> Option<u32> {
        let number = self.values(value, field).find_map(Value::as_u64)?;
        (1..=max).contains(&number).then_some(number as u32)
    }

    fn moment(&self, value: &Value, field: &str) -> Option<i64> {
        self.values(value, field).find_map(parse_moment)
    }

    fn text(&self, value: &Value, field: &str) -> Option<String> {
        self.values(value, field).find_map(as_text)
    }

    /// What a value has at the paths of a field.
    fn values<'a>(&'a self, value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
        let named = self.0.get(field).and_then(Value::as_str);
        let usual =
            USUAL.iter().find(|(known, _)| named.is_none() && *known == field).map_or(&[][..], |(_, paths)| paths);
        named.into_iter().chain(usual.iter().copied()).filter_map(move |path| find(value, path))
    }
}
