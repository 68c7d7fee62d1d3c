//! Which faults strike.

use std::path::PathBuf;

use crate::draw::Draw;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The server refuses with 503.
    Unavailable,
    /// The server refuses because of too many requests, and says when to come back.
    RateLimited,
    /// The connection breaks off in the middle of a message.
    Cut,
    /// A message comes twice.
    Duplicated,
    /// Messages that were sent already are sent again before the new ones.
    Replayed,
    /// The reader's position is refused as too old.
    Forgotten,
    /// The server asks the reader to go to another connection, or ends the stream in order.
    Moved,
    /// The token has expired.
    Expired,
}

/// How often each fault strikes, from 0 to 1. `cut`, `duplicated` and `moved` are drawn for each message where messages
/// are sent one by one, and for each answer otherwise; the others are drawn for each request.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// See [`Fault::Unavailable`].
    pub unavailable: f64,
    /// See [`Fault::RateLimited`].
    pub rate_limited: f64,
    /// See [`Fault::Cut`].
    pub cut: f64,
    /// See [`Fault::Duplicated`].
    pub duplicated: f64,
    /// See [`Fault::Replayed`].
    pub replayed: f64,
    /// See [`Fault::Forgotten`].
    pub forgotten: f64,
    /// See [`Fault::Moved`].
    pub moved: f64,
}

/// What a stand-in does.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Decides which faults strike.
    pub seed: u64,
    /// How often each fault strikes.
    pub rates: Rates,
    /// How far the server's clock is ahead, in milliseconds. Default: 0.
    pub skew_ms: i64,
    /// How many messages a reader without a position gets of the past. Default: all.
    pub history: usize,
    /// The most messages of an answer. Default: 20.
    pub most: usize,
    /// After how many seconds a reader that asked too often may come back. Default: 1.
    pub retry_after_s: u64,
    /// How long the server waits between answers, as it tells the readers, in milliseconds. Default: 10.
    pub pause_ms: u64,
    /// After how many requests a token expires. Default: never.
    pub token_lasts: Option<u64>,
    /// Where each new token is written. Without a file, [`Schedule::token`] is the only token.
    pub token_file: Option<PathBuf>,
    /// The first token, or the API key. Default: none is needed.
    pub token: Option<String>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            seed: 0,
            rates: Rates::default(),
            skew_ms: 0,
            history: usize::MAX,
            most: 20,
            retry_after_s: 1,
            pause_ms: 10,
            token_lasts: None,
            token_file: None,
            token: None,
        }
    }
}

impl Schedule {
    /// The fault that refuses a request before it is answered.
    pub(crate) fn refusal(&self, request: u64) -> Option<Fault> {
        let mut draw = Draw::of(self.seed, "request", request);
        let Rates { unavailable, rate_limited, .. } = self.rates;
        if draw.strikes(unavailable) {
            return Some(Fault::Unavailable);
        }
        draw.strikes(rate_limited).then_some(Fault::RateLimited)
    }

    /// Whether a fault strikes the `number`th chance for it.
    pub(crate) fn strikes(&self, fault: Fault, number: u64) -> bool {
        let rates = &self.rates;
        let (what, share) = match fault {
            Fault::Cut => ("cut", rates.cut),
            Fault::Duplicated => ("duplicated", rates.duplicated),
            Fault::Replayed => ("replayed", rates.replayed),
            Fault::Forgotten => ("forgotten", rates.forgotten),
            Fault::Moved => ("moved", rates.moved),
            Fault::Unavailable | Fault::RateLimited | Fault::Expired => return false,
        };
        Draw::of(self.seed, what, number).strikes(share)
    }
}
