//! Takes in a clip that is asked for.

use std::sync::Arc;

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidemill_schemas::FieldError;

use super::Clipping;
use crate::{
    clips::{Asked, ClipView, footage},
    server::{
        access::Visitor,
        intake::{Request, check_json, json, unmarked},
        problem::Problem,
    },
};

const WISH: &str = "send start_ms and end_ms, and if you like reason, shape and captions";

/// `POST /v1/streams/{id}/clips`: asks for a clip.
pub(in crate::server) async fn ask(clipping: Arc<Clipping>, id: String, request: Request) -> Result<Response, Problem> {
    let (visitor, asked) = clipping.read(&id, request, WISH).await?;
    let clip = clipping.ask(&visitor, &id, asked).await?;
    let place = super::list::location(clipping.app, &id, &clip.id);
    let mut response = (StatusCode::ACCEPTED, Json(clip)).into_response();
    response.headers_mut().extend(place.map(|place| (header::LOCATION, place)));
    Ok(response)
}

/// Reads which clip is asked for.
pub(in crate::server) fn wish(value: Value) -> Result<Asked, Problem> {
    typed(value, WISH)
}

fn typed<T: DeserializeOwned>(value: Value, fix: &str) -> Result<T, Problem> {
    serde_json::from_value(value)
        .map_err(|error| Problem::not_valid("clip", vec![FieldError::new("", error.to_string(), fix)]))
}

impl Clipping {
    /// Reads what a visitor asks about clips of a stream that the visitor may open. `fix` says what the body holds.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        id: &str,
        Request { visitor, headers, body }: Request,
        fix: &str,
    ) -> Result<(Visitor, T), Problem> {
        visitor.may(self.app, id)?;
        check_json(&headers)?;
        let asked = typed(json(unmarked(&self.intake.read_body(&visitor, &headers, body).await?.0))?, fix)?;
        Ok((visitor, asked))
    }

    /// Asks for a clip of a stream. Whatever brings the wish calls this: HTTP, or a connection that a page keeps open. The
    /// answer comes at once; what becomes of the clip is among the events of the stream.
    ///
    /// # Errors
    /// If the visitor may not open the stream, it has no source, what is asked for is not valid, no footage is there yet, too
    /// many clips wait, or this server makes none. Each says what to do.
    pub(in crate::server) async fn ask(&self, visitor: &Visitor, id: &str, asked: Asked) -> Result<ClipView, Problem> {
        visitor.may(self.app, id)?;
        self.engine.app(self.app)?;
        visitor.take(1)?;
        self.submit(id, asked).await
    }

    /// Asks for a clip that is allowed.
    pub(super) async fn submit(&self, id: &str, asked: Asked) -> Result<ClipView, Problem> {
        let seen = self.sources.seen(id)?;
        self.desk.check(&asked)?;
        let footage = footage(&seen, self.sources.guard()).await?;
        Ok(self.desk.submit(id, asked, footage)?)
    }
}
