//! Which connection is sent to, and what comes next.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{Fault, Line, hall::Hall};

/// Where the sending is. One connection at a time is sent to.
#[derive(Debug, Default)]
pub(crate) struct Podium(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: usize,
    /// The connection that is sent to, by its number.
    owner: u64,
    /// The sessions that are subscribed to the chat.
    subscribed: BTreeSet<String>,
}

/// What a connection sends next.
pub(crate) enum Turn {
    /// Another connection is sent to now.
    Over,
    /// Nothing is to be sent now.
    Quiet,
    /// The stream has ended.
    Ended,
    /// This line, whole or broken off, once or twice.
    Line { line: Line, whole: bool, twice: bool },
}

impl Podium {
    /// Sends to this connection from now on. Some of what was sent before is sent again, if the fault strikes.
    pub(crate) fn take(&self, hall: &Hall, connection: u64) {
        /// How far back the connection begins.
        const BACK: usize = 7;
        let mut state = self.state();
        state.owner = connection;
        if hall.strikes(Fault::Replayed) {
            state.next = state.next.saturating_sub(BACK);
        }
    }

    /// What a connection sends next.
    pub(crate) fn turn(&self, hall: &Hall, connection: u64) -> Turn {
        let mut state = self.state();
        if state.owner != connection {
            return Turn::Over;
        }
        let (lines, _) = hall.lines(state.next, 1);
        match lines.into_iter().next() {
            Some(line) => {
                let whole = !hall.strikes(Fault::Cut);
                if whole {
                    state.next += 1;
                }
                let twice = whole && hall.strikes(Fault::Duplicated);
                (0..=u8::from(twice)).for_each(|_| hall.sent(connection, &line.id, whole));
                Turn::Line { line, whole, twice }
            }
            None if hall.lines(state.next, 0).1 => Turn::Ended,
            None => Turn::Quiet,
        }
    }

    /// Subscribes a session to the chat.
    pub(crate) fn subscribe(&self, session: &str) {
        self.state().subscribed.insert(session.to_owned());
    }

    /// Whether a session is subscribed to the chat.
    pub(crate) fn is_subscribed(&self, session: &str) -> bool {
        self.state().subscribed.contains(session)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
