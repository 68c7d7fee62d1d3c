//! Leaves out what programs write into the chat: bots that are known by name, and lines that an account repeats at
//! regular times.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tidemill_schemas::ChatMessage;

use super::window::ChatWindow;

/// Accounts of bots that many channels use.
const BOTS: [&str; 34] = [
    "nightbot",
    "streamelements",
    "streamlabs",
    "moobot",
    "fossabot",
    "wizebot",
    "sery_bot",
    "soundalerts",
    "streamlootsbot",
    "kofistreambot",
    "botrixoficial",
    "botrix",
    "kickbot",
    "phantombot",
    "deepbot",
    "ankhbot",
    "coebot",
    "ohbot",
    "vivbot",
    "xanbot",
    "stay_hydrated_bot",
    "commanderroot",
    "songlistbot",
    "pretzelrocks",
    "tipeeebot",
    "streamjar",
    "botisimo",
    "creatisbot",
    "playwithviewersbot",
    "frostytoolsdotcom",
    "restreambot",
    "own3d",
    "mixitupbot",
    "scorpbot",
];
/// A line that came this often with equal pauses is one of a program.
const TIMES: u32 = 4;
/// Pauses are equal if they differ by at most so much, or by this share.
const EQUAL_MS: i64 = 1_500;
const EQUAL_SHARE: i64 = 50;
/// People repeat a line faster than this; programs wait longer.
const PAUSE_MIN_MS: i64 = 8_000;
/// A line that did not come again for this long is forgotten.
const FORGOTTEN_MS: i64 = 3_600_000;
/// The maximum number of lines that are remembered from window to window.
const KEPT: usize = 100;

/// Whether the account is a bot that is known by its name.
pub(super) fn is_bot(message: &ChatMessage) -> bool {
    let is_known = |name: &str| {
        let name = name.trim_start_matches('@');
        // All names of bots are shorter.
        name.len() < 24 && BOTS.iter().any(|bot| bot.eq_ignore_ascii_case(name))
    };
    is_known(&message.user_id) || message.user_name.as_deref().is_some_and(is_known)
}

/// A line of an account, and when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    /// Hash of the account and the text.
    id: u64,
    last_ms: i64,
    /// The pause before the last time; 0 if the line came once.
    pause_ms: i64,
    /// How often the line came with equal pauses.
    times: u32,
    /// Announcements are longer than what people write, so long lines are remembered rather than short ones.
    length: u32,
}

/// The lines that may be those of a program, because they come at regular times.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in super::super) struct Timers(Vec<Line>);

impl Timers {
    /// The lines that come at regular times.
    pub(super) fn regular(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().filter(|line| line.times >= TIMES).map(|line| line.id)
    }

    /// Adds messages in the order of time.
    fn hear(&mut self, messages: &[&ChatMessage], end_ms: i64) {
        let mut lines: HashMap<u64, Line> = self.0.drain(..).map(|line| (line.id, line)).collect();
        for message in messages {
            let (id, at_ms) = (fingerprint(message), message.timestamp);
            let new = Line { id, last_ms: at_ms, pause_ms: 0, times: 1, length: message.text.len() as u32 / 32 };
            lines.entry(id).and_modify(|line| line.again(at_ms)).or_insert(new);
        }
        // A cheer of a crowd is none of a program, however regularly one of the crowd writes it.
        let regular = |id: &u64| lines.get(id).is_some_and(|line| line.times >= TIMES);
        let candidates: Vec<&ChatMessage> =
            messages.iter().filter(|message| regular(&fingerprint(message))).copied().collect();
        let is_shared =
            |line: &ChatMessage| messages.iter().any(|other| other.text == line.text && other.user_id != line.user_id);
        let mut seen = HashSet::new();
        for line in candidates.into_iter().filter(|line| seen.insert(fingerprint(line))).filter(|line| is_shared(line))
        {
            lines.entry(fingerprint(line)).and_modify(|line| line.times = 1);
        }
        self.0 = lines.into_values().filter(|line| line.last_ms > end_ms - FORGOTTEN_MS).collect();
        self.0.sort_by_key(|line| std::cmp::Reverse((line.times, line.length, line.last_ms, line.id)));
        self.0.truncate(KEPT);
    }
}

impl Line {
    fn again(&mut self, at_ms: i64) {
        let pause_ms = at_ms - self.last_ms;
        if pause_ms == 0 {
            // The same message was delivered twice.
            return;
        }
        let equal = (pause_ms - self.pause_ms).abs() <= EQUAL_MS.max(self.pause_ms / EQUAL_SHARE);
        self.times = if pause_ms < PAUSE_MIN_MS {
            1
        } else if equal {
            self.times.saturating_add(1)
        } else {
            2
        };
        (self.last_ms, self.pause_ms) = (at_ms, pause_ms);
    }
}

/// A hash (FNV-1a) of the account and the text.
pub(super) fn fingerprint(message: &ChatMessage) -> u64 {
    let bytes = message.user_id.bytes().chain([0xff]).chain(message.text.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The messages of people in the order of time, and the lines to remember for the next window.
pub(in super::super) fn people(window: &ChatWindow) -> (Vec<&ChatMessage>, Timers) {
    let mut people: Vec<&ChatMessage> = window.chats.iter().filter(|message| !is_bot(message)).collect();
    // Chats with equal timestamps are ordered by content, so that the order of arrival never changes a result.
    people.sort_by(|a, b| (a.timestamp, &a.user_id, &a.text).cmp(&(b.timestamp, &b.user_id, &b.text)));
    let mut timers = window.trend.timers().clone();
    timers.hear(&people, window.end_ms);
    let regular: Vec<u64> = timers.regular().collect();
    if !regular.is_empty() {
        people.retain(|message| !regular.contains(&fingerprint(message)));
    }
    (people, timers)
}
