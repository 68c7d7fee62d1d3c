//! Keeps the connection of a source for as long as the stream lives.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future};
use serde_json::{Value, json};
use tidemill_remote::Backoff;

use crate::{
    Batch, ChatError, ChatEvent, Clock, Connection, Platform, Position, Source, SystemClock, clock::millis, seen::Seen,
};

/// The most events that are gathered, unless one batch has more.
const TOGETHER: usize = 500;

/// The longest wait that a platform can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// How a connection is supervised.
#[derive(Debug, Clone)]
pub struct Supervision {
    /// The first wait after a failure. Default: one second.
    pub first_wait: Duration,
    /// The longest wait between attempts, unless the platform asks for more: up to an hour. Default: two minutes.
    pub longest_wait: Duration,
    /// How often a stream that has not begun is looked at. Default: thirty seconds.
    pub look_every: Duration,
    /// How many ids are remembered, so that no message comes twice. Default: 20 000.
    pub ids_remembered: usize,
    /// Of these, how many a position carries across a restart. Default: 128, which are 1.4 kilobytes.
    pub ids_in_position: usize,
    /// How many it carries where the platform tells no position: its history comes again after each restart. Default:
    /// 1000, which are 11 kilobytes.
    pub ids_without_position: usize,
    /// Seed of the jitter. Give each source its own, such as a hash of its id. Default: 0.
    pub seed: u64,
    /// The clock. Default: the clock of this machine.
    pub clock: Arc<dyn Clock>,
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(120),
            look_every: Duration::from_secs(30),
            ids_remembered: 20_000,
            ids_in_position: 128,
            ids_without_position: 1_000,
            seed: 0,
            clock: Arc::new(SystemClock),
        }
    }
}

/// What a supervised connection tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Events, none of them told before.
    Events(Batch),
    /// The state has changed.
    State(State),
}

/// The state of a supervised connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The platform is asked for the chat.
    Resolving,
    /// The chat is open.
    Connected,
    /// The chat cannot be read now; another attempt follows.
    Waiting {
        /// When the next attempt is made, in epoch milliseconds.
        until_ms: i64,
        /// Why.
        reason: String,
    },
    /// Only a person can help. No attempt is made any more.
    Refused {
        /// What happened.
        reason: String,
        /// What the person should do.
        remedy: String,
    },
    /// The chat is over.
    Ended,
}

enum Phase {
    Begin,
    Opening,
    Open {
        connection: Box<dyn Connection>,
        since_ms: i64,
    },
    /// The connection has failed behind events that are told first.
    Failing(ChatError),
    Waiting {
        until_ms: i64,
    },
    Ending,
    Over,
}

/// Runs a platform's connection for as long as the stream lives. Every error but a refusal is survived.
pub struct Supervised {
    platform: Arc<dyn Platform>,
    source: Source,
    position: Option<Position>,
    supervision: Supervision,
    backoff: Backoff,
    seen: Seen,
    phase: Phase,
}

impl Supervised {
    /// Supervises the chat of a source. `from` is a position that an earlier [`Batch`] of a supervised connection
    /// carried.
    pub fn new(platform: Arc<dyn Platform>, source: Source, from: Option<Position>, supervision: Supervision) -> Self {
        let mut seen = Seen::new(supervision.ids_remembered);
        let position = from.and_then(|Position(value)| unwrap(value, &mut seen));
        let backoff = Backoff::new(supervision.first_wait, supervision.longest_wait, supervision.seed);
        Self { platform, source, position, supervision, backoff, seen, phase: Phase::Begin }
    }

    /// Waits for the next events or the next state. The future can be dropped at any time without losing an event.
    ///
    /// After [`State::Refused`] and [`State::Ended`] nothing follows: the future never completes.
    pub async fn next(&mut self) -> Told {
        loop {
            match &mut self.phase {
                Phase::Begin => {
                    self.phase = Phase::Opening;
                    return Told::State(State::Resolving);
                }
                Phase::Opening => match self.platform.open(&self.source, self.position.as_ref()).await {
                    Ok(connection) => {
                        self.phase = Phase::Open { connection, since_ms: self.supervision.clock.now_ms() };
                        return Told::State(State::Connected);
                    }
                    Err(error) => return self.failed(error),
                },
                Phase::Open { connection, since_ms } => match connection.next().await {
                    Ok(mut batch) => {
                        let since_ms = *since_ms;
                        if let Err(error) = gather(&mut **connection, &mut batch) {
                            self.phase = Phase::Failing(error);
                        }
                        if let Some(batch) = self.take(batch, since_ms) {
                            return Told::Events(batch);
                        }
                    }
                    Err(error) => return self.failed(error),
                },
                Phase::Failing(error) => {
                    let error = error.clone();
                    return self.failed(error);
                }
                Phase::Waiting { until_ms } => {
                    let left = until_ms.saturating_sub(self.supervision.clock.now_ms());
                    match u64::try_from(left) {
                        Ok(left @ 1..) => self.supervision.clock.sleep(Duration::from_millis(left)).await,
                        _ => self.phase = Phase::Begin,
                    }
                }
                Phase::Ending => {
                    self.phase = Phase::Over;
                    return Told::State(State::Ended);
                }
                Phase::Over => future::pending().await,
            }
        }
    }

    /// Keeps what was not told before. Nothing is told of a batch that changes nothing.
    fn take(&mut self, batch: Batch, since_ms: i64) -> Option<Batch> {
        let Batch { mut events, position, ended } = batch;
        events.retain(|event| self.seen.insert(&key(event)));
        // An open chat proves little: a broken one opens, too, and would be opened again every second.
        let lasted_ms = self.supervision.clock.now_ms().saturating_sub(since_ms);
        if !events.is_empty() || lasted_ms >= millis(self.supervision.longest_wait) {
            self.backoff.succeeded();
        }
        let moved = position.is_some() && position != self.position;
        if position.is_some() {
            self.position = position;
        }
        if ended {
            self.phase = Phase::Ending;
        }
        // A platform without positions tells its history again after a move, too: the ids are carried in any case.
        let at = self.position.as_ref().map(|Position(at)| at);
        let Supervision { ids_in_position, ids_without_position, .. } = self.supervision;
        let count = if at.is_some() { ids_in_position } else { ids_without_position };
        let position = Some(Position(json!({ "at": at, "ids": self.seen.latest(count) })));
        (ended || moved || !events.is_empty()).then_some(Batch { events, position, ended })
    }

    fn failed(&mut self, error: ChatError) -> Told {
        let (wait, reason) = match error {
            ChatError::Refused { reason, remedy } => {
                self.phase = Phase::Over;
                return Told::State(State::Refused { reason, remedy });
            }
            ChatError::Transient { reason, retry_after } => {
                let asked = retry_after.map(|asked| asked.min(LONGEST_ASKED));
                (self.backoff.failed(asked), reason)
            }
            ChatError::NotLive { reason, starts_at_ms } => (self.until_live(starts_at_ms), reason),
        };
        let until_ms = self.supervision.clock.now_ms().saturating_add(millis(wait));
        self.phase = Phase::Waiting { until_ms };
        Told::State(State::Waiting { until_ms, reason })
    }

    /// A stream may begin before its time, so it is looked at now and then, if only rarely.
    fn until_live(&self, starts_at_ms: Option<i64>) -> Duration {
        let every = self.supervision.look_every;
        let left_ms =
            starts_at_ms.map_or(0, |starts_at_ms| starts_at_ms.saturating_sub(self.supervision.clock.now_ms()));
        Duration::from_millis(u64::try_from(left_ms).unwrap_or(0)).clamp(every, every.saturating_mul(10))
    }
}

/// Adds what has arrived meanwhile. A platform that tells each message alone would otherwise cost a write for each.
fn gather(connection: &mut dyn Connection, batch: &mut Batch) -> Result<(), ChatError> {
    while !batch.ended
        && batch.events.len() < TOGETHER
        && let Some(next) = connection.next().now_or_never()
    {
        let Batch { events, position, ended } = next?;
        batch.events.extend(events);
        batch.position = position.or_else(|| batch.position.take());
        batch.ended = ended;
    }
    Ok(())
}

/// What makes an event one that was told before.
fn key(event: &ChatEvent) -> String {
    match event {
        ChatEvent::Message(message) => message.id.clone(),
        ChatEvent::Deleted { message_id } => format!("deleted {message_id}"),
        ChatEvent::Banned { user_id, timestamp_ms, .. } => format!("banned {user_id} {timestamp_ms}"),
    }
}

/// Takes the platform's position out of a supervised one, and remembers the ids that it carries.
fn unwrap(mut value: Value, seen: &mut Seen) -> Option<Position> {
    seen.remember(value.get("ids")?);
    value.get_mut("at").filter(|at| !at.is_null()).map(|at| Position(at.take()))
}
