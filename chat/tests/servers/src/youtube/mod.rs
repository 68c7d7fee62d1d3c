//! YouTube: videos and chats over REST, chats as a stream over gRPC.

mod item;
mod rest;
mod stream;

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Router, routing::get};

use crate::{Line, Log, Schedule, hall::Hall, house::House};

/// The generated server of `youtube_live_chat.proto`.
#[allow(dead_code, missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/youtube.api.v3.rs"));
}

/// What the stand-in's only stream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broadcast {
    /// It begins later, in epoch milliseconds, and has no chat yet.
    Upcoming(i64),
    /// It runs.
    Live,
    /// It runs without a chat.
    WithoutChat,
    /// It is over, and its chat is gone.
    Over,
}

/// A stand-in for YouTube with one channel, one video and one chat.
#[derive(Debug)]
pub struct YoutubeServer {
    studio: Arc<Studio>,
    house: House,
}

/// What the servers of REST and gRPC share.
#[derive(Debug)]
pub(crate) struct Studio {
    hall: Hall,
    broadcast: Mutex<Broadcast>,
    streams: bool,
}

impl Studio {
    fn broadcast(&self) -> Broadcast {
        *self.broadcast.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl YoutubeServer {
    /// The id of the video.
    pub const VIDEO: &'static str = "video-1";
    /// The id of the chat.
    pub const CHAT: &'static str = "chat-1";
    /// The id of the channel.
    pub const CHANNEL: &'static str = "UC-ada";
    /// The handle of the channel.
    pub const HANDLE: &'static str = "@ada";

    /// Starts one on a free port of this machine.
    pub fn start(schedule: Schedule) -> Self {
        Self::open(schedule, true)
    }

    /// Starts one that knows no gRPC, as behind a proxy that lets none pass.
    pub fn without_streams(schedule: Schedule) -> Self {
        Self::open(schedule, false)
    }

    fn open(schedule: Schedule, streams: bool) -> Self {
        let hall = Hall::new(schedule);
        let studio = Arc::new(Studio { hall, broadcast: Mutex::new(Broadcast::Live), streams });
        let app = Router::new()
            .route("/youtube/v3/channels", get(rest::channels))
            .route("/youtube/v3/playlistItems", get(rest::uploads))
            .route("/youtube/v3/videos", get(rest::videos))
            .route("/youtube/v3/liveChat/messages", get(rest::messages))
            .with_state(Arc::clone(&studio))
            .route_service(stream::PATH, stream::service(Arc::clone(&studio)));
        Self { studio, house: House::open(app) }
    }

    /// The address of both REST and gRPC: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.house.address())
    }

    /// Says what the stream does now. Default: it is live.
    pub fn set(&self, broadcast: Broadcast) {
        *self.studio.broadcast.lock().unwrap_or_else(PoisonError::into_inner) = broadcast;
    }

    /// Sends lines to the readers, now and in later answers.
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

/// The page of a token such as `page-7`, and whether the token is refused as too old.
fn page(hall: &Hall, token: Option<&str>) -> Result<usize, ()> {
    match token {
        None => Ok(hall.beginning()),
        Some(token) => {
            if hall.strikes(crate::Fault::Forgotten) {
                return Err(());
            }
            token.strip_prefix("page-").and_then(|page| page.parse().ok()).ok_or(())
        }
    }
}

/// The lines of an answer from one on, the token that follows them, and whether the chat is over after them.
fn turn(hall: &Hall, from: usize) -> (Vec<Line>, usize, bool) {
    /// How far back a reader is sent when history is told again.
    const BACK: usize = 7;
    let (new, last) = hall.lines(from, hall.schedule.most);
    let next = from + new.len();
    let back = if hall.strikes(crate::Fault::Replayed) { from.saturating_sub(BACK) } else { from };
    let mut lines = hall.lines(back, from - back).0;
    lines.extend(new);
    if !lines.is_empty() && hall.strikes(crate::Fault::Duplicated) {
        lines.push(lines[lines.len() / 2].clone());
    }
    (lines, next, last)
}
