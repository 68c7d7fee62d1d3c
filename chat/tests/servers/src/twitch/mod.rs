//! Twitch: the API, EventSub and IRC.

mod eventsub;
mod helix;
mod irc;
mod podium;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    routing::{get, post},
};

use crate::{Line, Log, Schedule, hall::Hall, house::House};
use podium::Podium;

/// A stand-in for Twitch with one channel. What was not sent whole is sent again to the next connection, with the same
/// id, as Twitch does with what it is unsure of.
#[derive(Debug)]
pub struct TwitchServer {
    studio: Arc<Studio>,
    house: House,
}

/// What all servers of Twitch share.
#[derive(Debug)]
pub(crate) struct Studio {
    hall: Hall,
    podium: Podium,
    is_live: AtomicBool,
    may_read: AtomicBool,
}

impl TwitchServer {
    /// The login of the channel.
    pub const CHANNEL: &'static str = "ada";
    /// The id of the channel.
    pub const BROADCASTER: &'static str = "12826";
    /// The id of the account that reads.
    pub const READER: &'static str = "141981764";

    /// Starts one on a free port of this machine.
    pub fn start(schedule: Schedule) -> Self {
        let studio = Arc::new(Studio {
            hall: Hall::new(schedule),
            podium: Podium::default(),
            is_live: AtomicBool::new(true),
            may_read: AtomicBool::new(true),
        });
        let app = Router::new()
            .route("/oauth2/validate", get(helix::validate))
            .route("/helix/users", get(helix::users))
            .route("/helix/streams", get(helix::streams))
            .route("/helix/eventsub/subscriptions", post(helix::subscribe))
            .route("/eventsub", get(eventsub::open))
            .route("/irc", get(irc::open))
            .with_state(Arc::clone(&studio));
        Self { studio, house: House::open(app) }
    }

    /// The address of the API and of the server of tokens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.house.address())
    }

    /// The address of EventSub's WebSocket.
    pub fn eventsub(&self) -> String {
        format!("ws://{}/eventsub", self.house.address())
    }

    /// The address of IRC's WebSocket.
    pub fn irc(&self) -> String {
        format!("ws://{}/irc", self.house.address())
    }

    /// Says whether the channel streams now. Default: it does.
    pub fn set_live(&self, is_live: bool) {
        self.studio.is_live.store(is_live, Ordering::SeqCst);
    }

    /// Says whether the token has the scope `user:read:chat`. Default: it has.
    pub fn set_scope(&self, may_read: bool) {
        self.studio.may_read.store(may_read, Ordering::SeqCst);
    }

    /// Sends lines to the reader that is there, or to the next one.
    pub fn post(&self, lines: impl IntoIterator<Item = Line>) {
        self.studio.hall.post(lines);
    }

    /// Ends the stream after the last line.
    pub fn end(&self) {
        self.studio.hall.end();
    }

    /// What was sent until now.
    pub fn log(&self) -> Log {
        self.studio.hall.log()
    }
}
