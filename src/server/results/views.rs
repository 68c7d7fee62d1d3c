//! Views of an owner's results: made when somebody asks, a few at the same time.

use std::{sync::Arc, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tidemill::transport::TransportError;
use tokio::sync::Semaphore;

use super::hub::Hub;
use crate::{
    apps::{App, Parameters, Shown, Unshown, View, Wanted, Wrong},
    server::{access::Visitor, engine::Engine, problem::Problem},
};

/// The number of views that are made at the same time. Each may take the memory of a few thousand results.
const AT_ONCE: usize = 2;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// Tells how many older windows are left out of an answer.
pub(in crate::server) const LEFT_OUT: &str = "tidemill-windows-left-out";

/// Makes the views of the applications.
pub(in crate::server) struct Views {
    engine: Arc<Engine>,
    hub: Arc<Hub>,
    turns: Arc<Semaphore>,
}

impl Views {
    pub(in crate::server) fn new(engine: Arc<Engine>, hub: Arc<Hub>) -> Self {
        Self { engine, hub, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// `GET` of a view of an owner.
pub(in crate::server) async fn view_of_owner(
    views: Arc<Views>,
    app: App,
    view: &'static View,
    key: String,
    visitor: Visitor,
    asked: Parameters,
) -> Result<Response, Problem> {
    visitor.may(app, &key)?;
    let (shown, left_out) = views.make(app, view, key, Some(&visitor), &asked).await?;
    answer(shown, left_out)
}

/// Reads what is asked of an owner.
pub(in crate::server) fn question(view: &View, key: &str, asked: &Parameters) -> Result<Wanted, Problem> {
    (view.ask)(key, asked).map_err(|Wrong { error, fix }| Problem::wrong(error, fix))
}

impl Views {
    /// Makes a view of an owner, and tells how many older windows are left out. A visitor must be allowed to see it;
    /// without one, the server asks for itself.
    pub(in crate::server) async fn make(
        &self,
        app: App,
        view: &'static View,
        key: String,
        visitor: Option<&Visitor>,
        asked: &Parameters,
    ) -> Result<(Shown, usize), Problem> {
        self.engine.app(app)?;
        let wanted = question(view, &key, asked)?;
        let turns = async {
            // A tenant's own views wait for each other first, so that no tenant takes all turns.
            let own = match visitor {
                Some(visitor) => visitor.turn().await,
                None => None,
            };
            (own, self.turns.clone().acquire_owned().await.expect("the semaphore is never closed"))
        };
        let turns = tokio::time::timeout(PATIENCE, turns).await;
        let turns = turns.map_err(|_| Problem::busy("too many views are asked for at the moment", 2))?;
        let hub = self.hub.clone();
        let made = tokio::task::spawn_blocking(move || {
            // The turn lasts as long as the work, also if the client has gone.
            let _turns = turns;
            let stored = hub.stored(app, &key, wanted.span)?;
            let left_out = stored.left_out;
            Ok::<_, TransportError>(((wanted.show)(stored), left_out))
        });
        let (shown, left_out) = made.await.map_err(|error| Problem::internal(&error))?.map_err(not_read)?;
        Ok((shown.map_err(not_shown)?, left_out))
    }
}

fn answer(Shown { media_type, file_name, body }: Shown, left_out: usize) -> Result<Response, Problem> {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(name) = file_name {
        let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
        headers.insert(header::CONTENT_DISPOSITION, disposition.map_err(|error| Problem::internal(&error))?);
    }
    if left_out > 0 {
        headers.insert(LEFT_OUT, HeaderValue::from(left_out));
    }
    Ok(response)
}

fn not_read(error: TransportError) -> Problem {
    match error {
        TransportError::Retriable(reason) | TransportError::Fenced(reason) | TransportError::Abort(reason) => {
            tracing::warn!(%reason, "results cannot be read for a view");
            Problem::log_unavailable("ask again after Retry-After")
        }
        error => Problem::internal(&error),
    }
}

fn not_shown(reason: Unshown) -> Problem {
    match reason {
        Unshown::Missing { what, fix } => Problem::not_found(&what, &fix),
        Unshown::TooMuch { error, fix } => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error, fix),
        Unshown::Failed(reason) => Problem::internal(&reason),
    }
}
