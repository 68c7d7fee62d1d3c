//! What notifications of EventSub say.

use serde_json::Value;

use crate::{
    Amount, Batch, ChatEvent, Membership, MembershipKind, Message,
    field::{Tidy, amount_of, bits, parse_moment},
};

/// Reads events of one channel.
pub(super) struct Reader {
    pub(super) tidy: Tidy,
    pub(super) shared: bool,
}

/// The author of a gift that Twitch does not name.
pub(super) const ANONYMOUS: &str = "anonymous";

impl Reader {
    pub(super) fn new(tidy: Tidy, shared: bool) -> Self {
        Self { tidy, shared }
    }

    /// Adds what a notification says to a batch.
    pub(super) fn read_notification(&mut self, said: &Value, broadcaster: &str, batch: &mut Batch) {
        let kind = said.pointer("/metadata/subscription_type").and_then(Value::as_str).unwrap_or_default();
        let sent = said.pointer("/metadata/message_timestamp").and_then(parse_moment);
        let timestamp_ms = sent.unwrap_or_else(|| self.tidy.now_ms());
        let Some(event) = said.pointer("/payload/event") else { return };
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        match kind {
            "channel.chat.message" | "channel.chat.notification" => {
                let from = text("source_broadcaster_user_id");
                if self.shared || from.is_none_or(|from| from == broadcaster) {
                    self.tell(message(event, timestamp_ms), batch);
                }
            }
            "channel.chat.message_delete" => {
                batch.events.extend(text("message_id").and_then(|id| self.tidy.deleted(id)));
            }
            "channel.chat.clear_user_messages" => {
                batch.events.extend(text("target_user_id").and_then(|id| self.tidy.banned(id, timestamp_ms, None)));
            }
            "stream.offline" => batch.ended = true,
            _ => {}
        }
    }

    /// Adds a message to a batch.
    pub(super) fn tell(&mut self, message: Option<Message>, batch: &mut Batch) {
        batch.events.extend(message.and_then(|message| self.tidy.message(message)).map(ChatEvent::Message));
    }
}

/// A message, or a notice such as a subscription, which may have a text, too.
fn message(event: &Value, timestamp_ms: i64) -> Option<Message> {
    let text = |path: &str| event.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    let membership = match text("/notice_type") {
        Some(notice) => membership(notice, event)?,
        None => None,
    };
    Some(Message {
        id: text("/message_id")?.to_owned(),
        user_id: text("/chatter_user_id").unwrap_or(ANONYMOUS).to_owned(),
        user_name: text("/chatter_user_name").map(str::to_owned),
        text: text("/message/text").unwrap_or_default().to_owned(),
        amount: event.pointer("/cheer/bits").and_then(Value::as_u64).and_then(bits).or_else(|| donation(event)),
        membership,
        timestamp_ms,
        reply_to: text("/reply/parent_message_id").map(str::to_owned),
        is_bot: false,
    })
}

/// The membership that a notice is about. Nothing at all is told of a gift that is part of a larger one, because the
/// larger one is told, too.
#[allow(clippy::option_option)]
fn membership(notice: &str, event: &Value) -> Option<Option<Membership>> {
    let number = |path: &str| {
        let number = event.pointer(path).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        number.filter(|number| *number > 0)
    };
    let of = |kind, months, count| Some(Membership { kind, months, count });
    Some(match notice {
        "sub" | "gift_paid_upgrade" | "prime_paid_upgrade" => of(MembershipKind::New, None, None),
        "resub" => of(MembershipKind::Milestone, number("/resub/cumulative_months"), None),
        "sub_gift" if event.pointer("/sub_gift/community_gift_id").is_some_and(|id| !id.is_null()) => return None,
        "sub_gift" => of(MembershipKind::Gift, None, None),
        "community_sub_gift" => of(MembershipKind::Gift, None, number("/community_sub_gift/total")),
        _ => None,
    })
}

/// What a viewer gave to the channel's charity.
fn donation(event: &Value) -> Option<Amount> {
    let amount = event.pointer("/charity_donation/amount")?;
    let (value, places) = (amount.get("value")?.as_i64()?, amount.get("decimal_place")?.as_u64()?);
    let unit = 10_i64.checked_pow(6_u32.checked_sub(u32::try_from(places).ok()?)?)?;
    amount_of(value.checked_mul(unit)?, amount.get("currency")?.as_str()?)
}
