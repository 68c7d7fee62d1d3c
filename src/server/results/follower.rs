//! Results for a page that follows them: first the results that the page missed, then new results.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::Deserialize;
use tidemill::transport::TransportError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};

use super::{
    hub::{Hub, Outdated},
    place::{Event, Passed, Place},
};
use crate::{
    apps::App,
    server::{access::Visitor, engine::Engine, late::Late, problem::Problem},
};

/// The most results that one read of the log returns.
const PAGE: usize = 100;
/// The most results for a page that sends no place.
const HISTORY: usize = 120;

/// The results of the applications, and the pages that follow them.
pub(in crate::server) struct Results {
    pub(super) engine: Arc<Engine>,
    hub: Arc<Hub>,
    pub(super) late: Arc<Late>,
    /// Permits for pages that follow results.
    followers: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl Results {
    /// Pages are sent away when `closing` becomes true.
    pub(in crate::server) fn new(
        engine: Arc<Engine>,
        hub: Arc<Hub>,
        late: Arc<Late>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let followers = Arc::new(Semaphore::new(engine.settings().limits.event_streams));
        Self { engine, hub, late, followers, closing }
    }
}

/// Query parameters of the address.
#[derive(Debug, Deserialize)]
pub(in crate::server) struct Options {
    /// The id of the last event seen.
    after: Option<String>,
}

/// A result for a page, or news of this instance.
pub(in crate::server) struct Followed {
    /// The page's place behind this result; `None` for news, which move no place.
    pub(in crate::server) id: Option<String>,
    /// The kind, such as `insight`.
    pub(in crate::server) name: &'static str,
    /// JSON in one line.
    pub(in crate::server) data: Bytes,
}

/// A page that follows results.
pub(in crate::server) struct Follower {
    results: Arc<Results>,
    app: App,
    key: String,
    place: Place,
    /// The results that are no longer valid, from the place on; `None` if they were not looked for.
    outdated: Option<Arc<Outdated>>,
    /// Events that were read from the log but not sent, in reverse order.
    caught: Vec<(Event, Place)>,
    stage: Stage,
    live: broadcast::Receiver<Passed>,
    closing: watch::Receiver<bool>,
    _permits: (Option<OwnedSemaphorePermit>, OwnedSemaphorePermit),
}

enum Stage {
    /// The page sent no place: it gets the newest results first.
    Newest,
    /// The page sent a place, which may be of another log. Then it gets all results.
    Resuming,
    /// The log is read from the page's place.
    CatchingUp,
    /// The page has all results so far.
    Live,
}

impl Follower {
    /// Follows an owner's results from the place on that the page names.
    pub(in crate::server) fn open(
        results: Arc<Results>,
        app: App,
        key: String,
        visitor: &Visitor,
        options: Options,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        results.engine.app(app)?;
        visitor.may(app, &key)?;
        let share = visitor.follow()?;
        let permit = results.followers.clone().try_acquire_owned();
        let permit = permit.map_err(|_| Problem::busy("too many pages follow results", 10))?;
        let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(ToOwned::to_owned);
        let (place, stage) = match last.or(options.after) {
            None => (Place::start(app), Stage::Newest),
            Some(text) if text == "0" => (Place::start(app), Stage::CatchingUp),
            Some(text) => {
                let fix = "send the id of an event, or 0 for all results";
                let no_place = || Problem::new(StatusCode::BAD_REQUEST, "the id is not a place in the results", fix);
                (Place::parse(app, &text).ok_or_else(no_place)?, Stage::Resuming)
            }
        };
        // The page subscribes before the log is read. A result in between is seen twice and sent once.
        let (live, closing) = (results.hub.subscribe(app, &key), results.closing.clone());
        let (outdated, caught, permits) = (None, Vec::new(), (share, permit));
        Ok(Self { results, app, key, place, outdated, caught, stage, live, closing, _permits: permits })
    }

    /// The results, until the server closes or the log cannot be read. A result is read when it is asked for, so nothing
    /// piles up for a page that reads slowly.
    pub(in crate::server) fn stream(self) -> impl Stream<Item = Followed> + Send {
        stream::unfold(self, |mut follower| async move { follower.next().await.map(|followed| (followed, follower)) })
    }

    async fn next(&mut self) -> Option<Followed> {
        loop {
            if let Some((event, place)) = self.caught.pop() {
                return Some(followed(&event, &place));
            }
            match self.stage {
                Stage::Newest => self.catch_up(HISTORY, true).await?,
                Stage::Resuming | Stage::CatchingUp => self.catch_up(PAGE, false).await?,
                Stage::Live => {
                    let received = tokio::select! {
                        received = self.live.recv() => received,
                        _ = self.closing.changed() => return None,
                    };
                    match received {
                        Ok(Passed::Result(event)) if self.place.is_before(&event) => {
                            self.place.pass(&event);
                            return Some(followed(&event, &self.place));
                        }
                        Ok(Passed::News { name, data }) => {
                            return Some(Followed { id: None, name, data: Bytes::copy_from_slice(data.as_bytes()) });
                        }
                        Ok(_) => {}
                        Err(broadcast::error::RecvError::Lagged(_)) => {
                            (self.stage, self.outdated) = (Stage::CatchingUp, None);
                        }
                        Err(broadcast::error::RecvError::Closed) => return None,
                    }
                }
            }
        }
    }

    async fn catch_up(&mut self, most: usize, newest: bool) -> Option<()> {
        let (results, app, key, mut place) = (self.results.clone(), self.app, self.key.clone(), self.place.clone());
        let outdated = self.outdated.clone();
        let resumes = matches!(self.stage, Stage::Resuming);
        let read = tokio::task::spawn_blocking(move || {
            if resumes && !results.hub.knows(app, &key, &mut place)? {
                place = Place::start(app);
            }
            let outdated = match outdated {
                Some(outdated) => outdated,
                None => Arc::new(results.hub.outdated(app, &key, &mut place)?),
            };
            let (events, more) = results.hub.catch_up(app, &key, &mut place, &outdated, most, newest)?;
            Ok::<_, TransportError>((events, more, place, outdated))
        });
        match read.await {
            Ok(Ok((mut events, more, place, outdated))) => {
                events.reverse();
                (self.caught, self.place, self.outdated) = (events, place, Some(outdated));
                self.stage = if more { Stage::CatchingUp } else { Stage::Live };
                Some(())
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "results cannot be read");
                None
            }
            Err(_) => None,
        }
    }
}

fn followed(event: &Event, place: &Place) -> Followed {
    Followed { id: Some(place.text()), name: event.name, data: event.data.clone() }
}
