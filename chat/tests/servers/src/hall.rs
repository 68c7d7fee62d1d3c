//! What all stand-ins have in common: the lines, the log, the faults, the token.

use std::{
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{Fault, Line, Log, Schedule, Sent};

/// The chat that a stand-in serves.
#[derive(Debug)]
pub(crate) struct Hall {
    pub(crate) schedule: Schedule,
    state: Mutex<State>,
    /// Changes when lines are posted, and when the chat ends.
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    log: Log,
    ended: bool,
    chances: u64,
    tokens: u64,
    uses: u64,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unavailable,
    RateLimited,
    Unauthorised,
}

impl Hall {
    pub(crate) fn new(schedule: Schedule) -> Self {
        let hall = Self { schedule, state: Mutex::default(), changed: watch::Sender::new(0) };
        hall.issue(0);
        hall
    }

    pub(crate) fn post(&self, lines: impl IntoIterator<Item = Line>) {
        self.state().log.posted.extend(lines);
        self.changed.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.changed.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn log(&self) -> Log {
        self.state().log.clone()
    }

    /// Tells when lines are posted, and when the chat ends.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The lines from one on, at most so many, and whether they are the last of a chat that has ended.
    pub(crate) fn lines(&self, from: usize, most: usize) -> (Vec<Line>, bool) {
        let state = self.state();
        let posted = &state.log.posted;
        let from = from.min(posted.len());
        let to = from.saturating_add(most).min(posted.len());
        (posted[from..to].to_vec(), state.ended && to == posted.len())
    }

    /// Where a reader without a position begins.
    pub(crate) fn beginning(&self) -> usize {
        self.state().log.posted.len().saturating_sub(self.schedule.history)
    }

    /// Counts a request, and decides whether it is let in. `token` is what the request shows.
    pub(crate) fn admit(&self, token: Option<&str>) -> Result<u64, Refusal> {
        let mut state = self.state();
        state.log.requests += 1;
        let request = state.log.requests;
        if let Some(fault) = self.schedule.refusal(request) {
            *state.log.faults.entry(fault).or_default() += 1;
            let is_limit = fault == Fault::RateLimited;
            return Err(if is_limit { Refusal::RateLimited } else { Refusal::Unavailable });
        }
        let expected = self.token(state.tokens);
        if expected.is_some() && expected.as_deref() != token {
            return Err(Refusal::Unauthorised);
        }
        state.uses += 1;
        if self.schedule.token_lasts.is_some_and(|uses| state.uses > uses) {
            state.uses = 0;
            state.tokens += 1;
            *state.log.faults.entry(Fault::Expired).or_default() += 1;
            let tokens = state.tokens;
            drop(state);
            self.issue(tokens);
            return Err(Refusal::Unauthorised);
        }
        Ok(request)
    }

    /// Whether a fault strikes at the next chance for it.
    pub(crate) fn strikes(&self, fault: Fault) -> bool {
        let mut state = self.state();
        state.chances += 1;
        let strikes = self.schedule.strikes(fault, state.chances);
        if strikes {
            *state.log.faults.entry(fault).or_default() += 1;
        }
        strikes
    }

    pub(crate) fn sent(&self, connection: u64, id: &str, whole: bool) {
        self.state().log.sent.push(Sent { id: id.to_owned(), connection, whole });
    }

    /// The server's clock for a moment of a clock that is right.
    pub(crate) fn said_ms(&self, at_ms: i64) -> i64 {
        at_ms + self.schedule.skew_ms
    }

    /// The `number`th token. The first is the schedule's.
    fn token(&self, number: u64) -> Option<String> {
        let first = self.schedule.token.clone()?;
        Some(if number == 0 { first } else { format!("{first}-{number}") })
    }

    /// Writes a token to its file, as a program that renews tokens does.
    fn issue(&self, number: u64) {
        if let (Some(file), Some(token)) = (&self.schedule.token_file, self.token(number)) {
            fs::write(file, token).expect("the file for tokens can be written");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
