//! A WebSocket that is followed by another one without a gap.

use std::{collections::VecDeque, time::Duration};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};

use super::{Frames, text};
use crate::ChatError;

/// How long the old connection is still read after the new one is ready. The server closes it earlier.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long the old connection may be silent after the last word.
const REST: Duration = Duration::from_secs(2);

/// A connection that is ready to be read, and what was heard of it until then.
pub(crate) type Joined = (Frames, Option<String>);

/// Opens a connection and makes it ready to be read.
pub(crate) type Joining = BoxFuture<'static, Result<Joined, ChatError>>;

/// Reads a WebSocket. When the server asks to go to another one, both are read until the old one is closed: what was
/// under way on the old one is not lost.
pub(crate) struct Relay {
    what: &'static str,
    current: Frames,
    joining: Option<Joining>,
    /// The old connections, the oldest first: a server may ask again before all of them are read.
    previous: VecDeque<(Frames, Instant)>,
    /// Why the current connection is of no use any more. The old one may still bring something.
    failed: Option<ChatError>,
    /// What was heard and not told.
    heard: Option<String>,
}

/// What a relay brings.
pub(crate) enum Heard {
    /// A text.
    Text(String),
    /// Nothing came for the given time.
    Silence,
}

impl Relay {
    pub(crate) fn new(what: &'static str, (current, heard): Joined) -> Self {
        Self { what, current, joining: None, previous: VecDeque::new(), failed: None, heard }
    }

    /// Goes to another connection as soon as it is ready.
    pub(crate) fn go_to(&mut self, joining: Joining) {
        self.joining.get_or_insert(joining);
    }

    /// The connection to which one writes.
    pub(crate) fn current(&mut self) -> &mut Frames {
        &mut self.current
    }

    /// What is still under way on the old connections, text by text, when the new one has said its last word.
    pub(crate) async fn rest(&mut self) -> Option<String> {
        while let Some((frames, _)) = self.previous.front_mut() {
            if let Ok(Ok(said)) = timeout(REST, text(self.what, frames)).await {
                return Some(said);
            }
            self.previous.pop_front();
        }
        None
    }

    /// The next text, of whichever connection. An error means that there is none any more.
    pub(crate) async fn next(&mut self, silent: Duration) -> Result<Heard, ChatError> {
        loop {
            if let Some(heard) = self.heard.take() {
                return Ok(Heard::Text(heard));
            }
            if self.previous.is_empty()
                && let Some(error) = self.failed.take()
            {
                return Err(error);
            }
            let works = self.failed.is_none();
            let what = self.what;
            let Self { current, joining, previous, .. } = self;
            let until_farewell = previous.front().map(|(_, until)| *until);
            let of_previous = async {
                match previous.front_mut() {
                    Some((frames, _)) => text(what, frames).await,
                    None => std::future::pending().await,
                }
            };
            let joined = async {
                match joining {
                    Some(joining) => joining.await,
                    None => std::future::pending().await,
                }
            };
            let farewell = async {
                match until_farewell {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                said = of_previous => match said {
                    Ok(said) => return Ok(Heard::Text(said)),
                    Err(_) => drop(self.previous.pop_front()),
                },
                () = farewell => drop(self.previous.pop_front()),
                joined = joined => {
                    self.joining = None;
                    // A connection that cannot be had leaves the old one as it is.
                    if let Ok((joined, heard)) = joined {
                        self.heard = heard;
                        let old = std::mem::replace(&mut self.current, joined);
                        self.previous.push_back((old, Instant::now() + FAREWELL));
                    }
                }
                said = timeout(silent, text(what, current)), if works => match said {
                    Ok(Ok(said)) => return Ok(Heard::Text(said)),
                    // The server closes the old connection also when the new one takes long.
                    Ok(Err(error)) => match self.joining.take() {
                        Some(joining) => match joining.await {
                            Ok((joined, heard)) => (self.current, self.heard) = (joined, heard),
                            Err(error) => self.failed = Some(error),
                        },
                        None => self.failed = Some(error),
                    },
                    Err(_) => return Ok(Heard::Silence),
                },
            }
        }
    }
}
