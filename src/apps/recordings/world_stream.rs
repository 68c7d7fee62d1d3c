//! Generates five minutes of chat in the scripts and forms of many platforms: bots, commands, emotes, echoes with invisible
//! suffixes, names from right to left, messages that are sent again, support.

use std::collections::BTreeSet;

use tidemill_schemas::{Amount, ChatMessage, Membership, MembershipKind};

use super::random::Random;
use super::truth::{Echo, PlantedSupport, WorldTruth};
use super::world_lines::{BOT, GLAD, PLAIN, SUFFIXES, UNHAPPY};
use super::{Recording, START_MS, ndjson, pretty};

const STREAM_ID: &str = "world-tour";
const MINUTE_MS: i64 = 60_000;
const MINUTES: i64 = 5;
const VIEWERS: usize = 60;
const BOTS: [&str; 3] = ["Nightbot", "StreamElements", "Fossabot"];
/// An account that is no known bot and repeats a line.
const ANNOUNCER: &str = "shop_corner";
const ANNOUNCEMENT: &str = "The new poster is in the shop, is it not awesome?";
const PAUSE_MS: i64 = 37_000;
/// The minute in which the mood is bad.
const UNHAPPY_MINUTE: i64 = 3;
const ECHO_MINUTE: i64 = 2;
const ECHO: &str = "water temple now";
const ECHOES: usize = 18;
/// The minute in which viewers pay and give memberships.
const SUPPORT_MINUTE: i64 = 4;
const MICROS: i64 = 4_990_000;
const GIFTS: u32 = 5;
/// The connector breaks at this time, and sends the seconds before it again.
const BREAK_MS: i64 = MINUTE_MS + 30_000;
const AGAIN_MS: i64 = 10_000;

pub(super) fn recordings() -> Vec<Recording> {
    let file = |name: &str, content| Recording { path: format!("live_insight/recordings/world/{name}"), content };
    let chats = chats();
    let truth = truth(&chats);
    vec![file("truth.json", pretty(&truth)), file("chat.ndjson", ndjson(&sent(chats)))]
}

fn truth(chats: &[ChatMessage]) -> WorldTruth {
    let is_program = |chat: &&ChatMessage| BOTS.contains(&chat.user_id.as_str()) || chat.text == ANNOUNCEMENT;
    let people: Vec<&ChatMessage> = chats.iter().filter(|chat| !is_program(chat)).collect();
    let of_minute =
        |minute: i64| people.iter().filter(|chat| (chat.timestamp - START_MS) / MINUTE_MS == minute).count() as u64;
    WorldTruth {
        stream_id: STREAM_ID.into(),
        start_ms: START_MS,
        window_ms: MINUTE_MS,
        chats: (0..MINUTES).map(of_minute).collect(),
        bots: BOTS.map(Into::into).to_vec(),
        announcer: ANNOUNCER.into(),
        announcement: ANNOUNCEMENT.into(),
        echo: Echo { window: ECHO_MINUTE as usize, text: ECHO.into(), echoes: ECHOES as u64 },
        unhappy: vec![UNHAPPY_MINUTE as usize],
        again: chats.iter().filter(|chat| is_sent_again(chat)).count() as u64,
        support: PlantedSupport {
            window: SUPPORT_MINUTE as usize,
            currency: "EUR".into(),
            micros: MICROS,
            gifted_members: u64::from(GIFTS),
        },
        languages: BTreeSet::from(["ar", "he", "id", "ko", "ru", "tr"].map(Into::into)),
    }
}

fn chats() -> Vec<ChatMessage> {
    let mut random = Random::seeded(0x00c0_ffee);
    let mut chats = Vec::new();
    for second in 0..MINUTES * 60 {
        let (at_ms, minute) = (second * 1_000, second / 60);
        let lines = match minute {
            _ if random.chance(0.2) => PLAIN,
            UNHAPPY_MINUTE => UNHAPPY,
            _ => GLAD,
        };
        if random.chance(0.9) {
            let user = random.below(VIEWERS);
            chats.push(chat(&format!("v{user:02}"), &name(user), random.pick(lines), at_ms + random.below(900) as i64));
        }
        if second % 9 == 4 {
            let bot = BOTS[(second / 9 % 3) as usize];
            chats.push(chat(bot, bot, random.pick(BOT), at_ms + 950));
        }
    }
    for time in 0.. {
        let at_ms = 11_000 + time * PAUSE_MS + random.below(400) as i64;
        if at_ms >= MINUTES * MINUTE_MS {
            break;
        }
        chats.push(chat(ANNOUNCER, ANNOUNCER, ANNOUNCEMENT, at_ms));
    }
    for user in 0..ECHOES {
        let text = format!("{ECHO}{}", SUFFIXES[user % SUFFIXES.len()]);
        let at_ms = ECHO_MINUTE * MINUTE_MS + 5_000 + 2_500 * user as i64;
        chats.push(chat(&format!("v{user:02}"), &name(user), &text, at_ms));
    }
    let at_ms = SUPPORT_MINUTE * MINUTE_MS + 12_000;
    let amount = Some(Amount { micros: MICROS, currency: "EUR".into() });
    chats.push(ChatMessage { amount, ..chat("v01", &name(1), "", at_ms) });
    let membership = Some(Membership { kind: MembershipKind::Gift, months: None, count: Some(GIFTS) });
    chats.push(ChatMessage { membership, ..chat("v02", &name(2), "", at_ms + 8_000) });
    chats.sort_by(|a, b| (a.timestamp, &a.user_id, &a.text).cmp(&(b.timestamp, &b.user_id, &b.text)));
    for (number, chat) in chats.iter_mut().enumerate() {
        chat.id = Some(format!("m{number}"));
    }
    chats
}

fn is_sent_again(chat: &ChatMessage) -> bool {
    (START_MS + BREAK_MS - AGAIN_MS..START_MS + BREAK_MS).contains(&chat.timestamp)
}

/// The messages in the order in which the connector sends them: after the break, some come again.
fn sent(chats: Vec<ChatMessage>) -> Vec<ChatMessage> {
    let (before, after): (Vec<_>, Vec<_>) = chats.into_iter().partition(|chat| chat.timestamp < START_MS + BREAK_MS);
    let again: Vec<_> = before.iter().filter(|chat| is_sent_again(chat)).cloned().collect();
    before.into_iter().chain(again).chain(after).collect()
}

/// Every fourth name is written from right to left, and every seventh would turn the text after it.
fn name(user: usize) -> String {
    match user {
        _ if user % 7 == 3 => format!("\u{202e}viewer_{user}"),
        _ if user % 4 == 1 => format!("سارة_{user}"),
        _ => format!("viewer_{user}"),
    }
}

fn chat(user_id: &str, user_name: &str, text: &str, at_ms: i64) -> ChatMessage {
    ChatMessage {
        stream_id: STREAM_ID.into(),
        user_id: user_id.into(),
        user_name: Some(user_name.into()),
        text: text.into(),
        timestamp: START_MS + at_ms,
        ..ChatMessage::default()
    }
}
