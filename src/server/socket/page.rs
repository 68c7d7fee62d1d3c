//! One page on its WebSocket, until it ends.

use std::{
    future::pending,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use axum::extract::ws::Message;
use futures_util::{
    Sink, SinkExt as _, Stream, StreamExt as _,
    future::{BoxFuture, FutureExt as _},
    stream::{BoxStream, FuturesUnordered},
};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout},
};

use super::{
    asks::{Answering, Asker, Chosen, frame_anew, take},
    ended::Ended,
    messages::{Answer, Asked, Unread, answer, push, result},
};
use crate::server::{problem::Problem, results::Followed};

/// The most answers of a page that are made at the same time.
const ASKS: usize = 8;
/// A frame is made anew so long after a window has closed, and at most `SPREAD` later: the windows of all streams close
/// together, and so do several windows after a pause.
const CALM: Duration = Duration::from_millis(150);
const SPREAD_MS: u64 = 400;
/// How long to wait when too many frames are made at the moment.
const BUSY: Duration = Duration::from_secs(2);
/// How long a page may take to close.
const FAREWELL: Duration = Duration::from_secs(1);

/// A page, and what it follows.
pub(super) struct Page {
    asker: Arc<Asker>,
    results: BoxStream<'static, Followed>,
    sources: BoxStream<'static, Value>,
    closing: watch::Receiver<bool>,
    idle: Duration,
    chosen: Chosen,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    asks: usize,
    /// When the frame is made anew; `None` if it is what the windows say.
    frame_at: Option<Instant>,
    makes_frame: bool,
}

/// What was made.
enum Done {
    Answer(Value, Result<Answer, Problem>),
    /// A frame of a choice.
    Frame(u64, Result<Answer, Problem>),
}

impl Page {
    pub(super) fn new(
        asker: Arc<Asker>,
        results: BoxStream<'static, Followed>,
        sources: BoxStream<'static, Value>,
        closing: watch::Receiver<bool>,
        idle: Duration,
    ) -> Self {
        let (chosen, work) = (Chosen::default(), FuturesUnordered::new());
        Self { asker, results, sources, closing, idle, chosen, work, asks: 0, frame_at: None, makes_frame: false }
    }

    /// Takes a message. Returns what is to be said at once.
    fn take(&mut self, text: &str) -> Option<String> {
        let asked = match Asked::read(text) {
            Ok(asked) => asked,
            Err(Unread { id, error }) => {
                let fix =
                    "send {\"id\":1,\"ask\":\"frame\",\"last\":\"15m\"}: an id that comes back, a word, and its fields";
                return Some(answer(&id, &Err(Problem::wrong(error, fix))));
            }
        };
        if self.asks >= ASKS {
            return Some(answer(
                &asked.id,
                &Err(Problem::busy(format!("{ASKS} answers are being made for this page"), 1)),
            ));
        }
        match take(&mut self.chosen, &self.asker, &asked) {
            Ok(answering) => {
                self.asks += 1;
                self.work.push(answering.map(move |answer| Done::Answer(asked.id, answer)).boxed());
                None
            }
            Err(problem) => Some(answer(&asked.id, &Err(problem))),
        }
    }

    /// What is said about something that was made.
    fn done(&mut self, done: Done) -> Option<String> {
        match done {
            Done::Answer(id, made) => {
                self.asks -= 1;
                Some(answer(&id, &made))
            }
            Done::Frame(frames, made) => {
                self.makes_frame = false;
                if let Err(problem) = &made
                    && problem.told().2.is_some()
                {
                    self.frame_at = Some(Instant::now() + BUSY);
                    return None;
                }
                let is_wanted = frames == self.chosen.frames && self.chosen.wants("frame");
                is_wanted.then(|| push("frame", &made))
            }
        }
    }

    fn pushed(&mut self, followed: &Followed) -> Option<String> {
        let closes_a_window = followed.name == self.asker.app.results[0].event;
        if closes_a_window && self.chosen.frame.is_some() && self.frame_at.is_none() {
            let spread = RandomState::new().hash_one(&followed.id) % SPREAD_MS;
            self.frame_at = Some(Instant::now() + CALM + Duration::from_millis(spread));
        }
        if !self.chosen.wants(followed.name) {
            return None;
        }
        result(followed)
    }

    fn make_frame(&mut self) {
        self.frame_at = None;
        let Some(frame) = &self.chosen.frame else { return };
        let frames = self.chosen.frames;
        let made: Answering = match frame_anew(&self.asker, frame) {
            Ok(answering) => answering,
            Err(problem) => futures_util::future::ready(Err(problem)).boxed(),
        };
        self.makes_frame = true;
        self.work.push(made.map(move |made| Done::Frame(frames, made)).boxed());
    }
}

/// Talks with a page until one of both ends. One message is on the way at a time, so nothing piles up for a page that
/// reads slowly.
pub(super) async fn run<S>(mut socket: S, mut page: Page)
where
    S: Stream<Item = Result<Message, axum::Error>> + Sink<Message> + Unpin + Send,
{
    let ended = talk(&mut socket, &mut page).await;
    tracing::debug!(?ended, "a page's WebSocket ends");
    let farewell = async {
        if let Some(frame) = ended.frame() {
            let _ = socket.send(Message::Close(Some(frame))).await;
        } else {
            let _ = socket.close().await;
        }
        // The page answers with a close frame of its own.
        while let Some(Ok(_)) = socket.next().await {}
    };
    let _ = timeout(FAREWELL, farewell).await;
}

async fn talk<S>(socket: &mut S, page: &mut Page) -> Ended
where
    S: Stream<Item = Result<Message, axum::Error>> + Sink<Message> + Unpin + Send,
{
    let ping = page.idle / 4;
    let mut pings = interval_at(Instant::now() + ping, ping);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let mut closing = page.closing.clone();
    loop {
        let frame_at = page.frame_at.filter(|_| !page.makes_frame);
        let say = tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => return Ended::Stopping,
            said = socket.next() => {
                heard = Instant::now();
                match said {
                    None | Some(Ok(Message::Close(_))) => return Ended::Gone,
                    Some(Err(error)) => return Ended::of(error),
                    Some(Ok(Message::Text(text))) => page.take(&text).map(text_of),
                    Some(Ok(Message::Binary(_))) => {
                        let problem = Problem::wrong("the message is binary", "send JSON as text");
                        Some(text_of(answer(&Value::Null, &Err(problem))))
                    }
                    // The connection answers pings by itself.
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                }
            }
            Some(done) = page.work.next(), if !page.work.is_empty() => page.done(done).map(text_of),
            followed = page.results.next() => match followed {
                Some(followed) => page.pushed(&followed).map(text_of),
                None if *page.closing.borrow() => return Ended::Stopping,
                None => return Ended::Unread,
            },
            source = page.sources.next() => match source {
                Some(source) => page.chosen.wants("source").then(|| text_of(push("source", &Answer::of(&source)))),
                // Nothing changes any more; the rest goes on.
                None => {
                    page.sources = futures_util::stream::pending().boxed();
                    None
                }
            },
            () = at(frame_at) => {
                page.make_frame();
                None
            }
            _ = pings.tick() => {
                if heard.elapsed() >= page.idle {
                    return Ended::Silent;
                }
                Some(Message::Ping(Vec::new().into()))
            }
        };
        if let Some(say) = say {
            match timeout(page.idle / 2, socket.send(say)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ended::Gone,
                Err(_) => return Ended::Slow,
            }
        }
    }
}

fn text_of(text: String) -> Message {
    Message::Text(text.into())
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}
