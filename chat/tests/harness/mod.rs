//! Reads the chat of a stand-in to its end, and says what should have come.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

#[path = "../fake/mod.rs"]
mod fake;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub use fake::FakeClock;
use tidemill_chat::{
    Amount, ChatEvent, Membership, MembershipKind, Message, Platform, Position, Source, State, Supervised, Supervision,
    Told, Url,
};
use tidemill_chat_servers::{Fault, Kind, Line, Log};

/// When the lines of crowds begin, in epoch milliseconds.
pub const START: i64 = 1_767_225_600_000;

/// A clock that is later than all lines of a crowd.
pub fn clock() -> Arc<FakeClock> {
    FakeClock::at(START + 3_600_000)
}

/// The faults of several runs. A single run may be spared one.
#[derive(Debug, Default)]
pub struct Faults(BTreeMap<Fault, u64>);

impl Faults {
    pub fn add(&mut self, log: &Log) {
        log.faults.iter().for_each(|(fault, count)| *self.0.entry(*fault).or_default() += count);
    }

    pub fn assert_struck(&self, faults: &[Fault]) {
        assert!(faults.iter().all(|fault| self.0.contains_key(fault)), "{faults:?} of {:?}", self.0);
    }
}

/// What came, and what was told of the state beside it.
#[derive(Debug, Default)]
pub struct Read {
    pub events: Vec<ChatEvent>,
    pub states: Vec<State>,
    /// How often the source was given to another reader.
    pub moves: u32,
}

impl Read {
    /// The reasons of waiting and of refusals.
    pub fn reasons(&self) -> Vec<&str> {
        self.states.iter().filter_map(reason).collect()
    }
}

fn reason(state: &State) -> Option<&str> {
    match state {
        State::Waiting { reason, .. } | State::Refused { reason, .. } => Some(reason),
        _ => None,
    }
}

/// Reads until the chat has ended or is refused. After every `moves_after` batches, another reader goes on at the
/// position of the last batch, as after a crash.
pub async fn read(
    platform: Arc<dyn Platform>,
    source: &Source,
    clock: Arc<FakeClock>,
    moves_after: Option<usize>,
) -> Read {
    read_until(platform, source, clock, moves_after, usize::MAX).await
}

/// As [`read`], but stops after so many events, where a platform does not tell the end.
pub async fn read_until(
    platform: Arc<dyn Platform>,
    source: &Source,
    clock: Arc<FakeClock>,
    moves_after: Option<usize>,
    events: usize,
) -> Read {
    let mut read = Read::default();
    let mut position: Option<Position> = None;
    loop {
        let supervision = Supervision { clock: clock.clone(), seed: 3, ..Supervision::default() };
        let mut supervised = Supervised::new(Arc::clone(&platform), source.clone(), position.take(), supervision);
        let mut batches = 0;
        loop {
            // No test depends on it: a reader that hangs says what it had read.
            let Ok(told) = tokio::time::timeout(Duration::from_secs(60), supervised.next()).await else {
                panic!("nothing comes any more after {} events: {:?}", read.events.len(), read.reasons());
            };
            match told {
                Told::Events(batch) => {
                    read.events.extend(batch.events);
                    position = batch.position;
                    batches += 1;
                    if read.events.len() >= events {
                        return read;
                    }
                    if !batch.ended && moves_after.is_some_and(|after| batches >= after) {
                        read.moves += 1;
                        break;
                    }
                }
                Told::State(state) => {
                    let over = matches!(state, State::Ended | State::Refused { .. });
                    read.states.push(state);
                    if over {
                        return read;
                    }
                }
            }
        }
    }
}

/// A source at an address.
pub fn source(url: &str) -> Source {
    Source::new(Url::parse(url).unwrap())
}

/// What should come of a line.
pub fn expected(line: &Line) -> ChatEvent {
    let mut message = Message {
        id: line.id.clone(),
        user_id: line.user_id.clone(),
        user_name: Some(line.user_name.clone()),
        text: line.shown.clone(),
        timestamp_ms: line.at_ms,
        is_bot: line.user_name == "Nightbot",
        ..Message::default()
    };
    let membership = |kind, months, count| Some(Membership { kind, months, count });
    match &line.kind {
        Kind::Text => {}
        Kind::Reply { to } => message.reply_to = Some(to.clone()),
        Kind::Paid { micros, currency } => {
            message.amount = Some(Amount { micros: *micros, currency: (*currency).to_owned() });
        }
        Kind::Joined => message.membership = membership(MembershipKind::New, None, None),
        Kind::Months(months) => message.membership = membership(MembershipKind::Milestone, Some(*months), None),
        Kind::Gifts(count) => message.membership = membership(MembershipKind::Gift, None, Some(*count)),
        Kind::Deleted { target } => return ChatEvent::Deleted { message_id: target.clone() },
        Kind::Banned { user_id, seconds } => {
            return ChatEvent::Banned {
                user_id: user_id.clone(),
                timestamp_ms: line.at_ms,
                until_ms: seconds.map(|seconds| line.at_ms + 1_000 * seconds as i64),
            };
        }
    }
    ChatEvent::Message(message)
}

/// The id of a message.
pub fn id(event: &ChatEvent) -> Option<String> {
    match event {
        ChatEvent::Message(message) => Some(message.id.clone()),
        _ => None,
    }
}

/// Compares what came with what should have come, and shows the first difference.
pub fn assert_all(events: &[ChatEvent], lines: &[Line]) {
    assert_all_as(events, lines, expected);
}

/// As [`assert_all`], where a platform tells less of a line.
pub fn assert_all_as(events: &[ChatEvent], lines: &[Line], expected: impl Fn(&Line) -> ChatEvent) {
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(events.get(number), Some(&expected(line)), "event {number} of {}", lines.len());
    }
    assert_eq!(events.len(), lines.len(), "nothing follows the last line");
}
