//! What lines of IRC say.

use super::line::Line;
use crate::{
    Batch, Membership, MembershipKind, Message,
    field::bits,
    twitch::event::{ANONYMOUS, Reader},
};

/// Adds what a line says to a batch.
pub(super) fn read(reader: &mut Reader, line: &Line<'_>, batch: &mut Batch) {
    let timestamp_ms = line.number("tmi-sent-ts").unwrap_or_else(|| reader.tidy.now_ms());
    match line.command {
        "PRIVMSG" | "USERNOTICE" => {
            let (room, from) = (line.tag("room-id"), line.tag("source-room-id"));
            if reader.shared || from.is_none() || from == room {
                reader.tell(message(line, timestamp_ms), batch);
            }
        }
        "CLEARMSG" => batch.events.extend(line.tag("target-msg-id").and_then(|id| reader.tidy.deleted(&id))),
        // Without a user, the whole chat was cleared from the viewers' screens: what was said stays said.
        "CLEARCHAT" => {
            let seconds: Option<i64> = line.number("ban-duration");
            let until_ms = seconds.map(|seconds| timestamp_ms.saturating_add(seconds.saturating_mul(1_000)));
            let user = line.tag("target-user-id");
            batch.events.extend(user.and_then(|user| reader.tidy.banned(&user, timestamp_ms, until_ms)));
        }
        _ => {}
    }
}

fn message(line: &Line<'_>, timestamp_ms: i64) -> Option<Message> {
    let membership = match line.tag("msg-id") {
        Some(notice) if line.command == "USERNOTICE" => membership(&notice, line)?,
        _ => None,
    };
    // What "/me waves" becomes.
    let text = line.text.strip_prefix("\u{1}ACTION ").map_or(line.text, |text| text.trim_end_matches('\u{1}'));
    let name = line.tag("display-name").or_else(|| line.tag("login"));
    let name = name.map(String::from).or_else(|| Some(line.nick.to_owned()).filter(|nick| !nick.is_empty()));
    Some(Message {
        id: line.tag("id")?.into_owned(),
        user_id: line.tag("user-id").map_or_else(|| ANONYMOUS.to_owned(), String::from),
        user_name: name,
        text: text.to_owned(),
        amount: line.number("bits").and_then(bits),
        membership,
        timestamp_ms,
        reply_to: line.tag("reply-parent-msg-id").map(String::from),
        is_bot: false,
    })
}

/// The membership that a notice is about. Nothing at all is told of a gift that is part of a larger one, because the
/// larger one is told, too.
#[allow(clippy::option_option)]
fn membership(notice: &str, line: &Line<'_>) -> Option<Option<Membership>> {
    let number = |name: &str| line.number::<u32>(name).filter(|number| *number > 0);
    let of = |kind, months, count| Some(Membership { kind, months, count });
    Some(match notice {
        "sub" | "giftpaidupgrade" | "anongiftpaidupgrade" | "primepaidupgrade" => of(MembershipKind::New, None, None),
        "resub" => of(MembershipKind::Milestone, number("msg-param-cumulative-months"), None),
        "subgift" if line.tag("msg-param-community-gift-id").is_some() => return None,
        "subgift" => of(MembershipKind::Gift, None, None),
        "submysterygift" => of(MembershipKind::Gift, None, number("msg-param-mass-gift-count")),
        _ => None,
    })
}
