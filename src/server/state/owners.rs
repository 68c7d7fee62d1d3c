//! The list of an application's owners.

use std::sync::Arc;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::inspector::Inspector;
use crate::{
    apps::App,
    server::{access::Visitor, address::whole, problem::Problem},
};

/// Query parameters of a list of ids.
#[derive(Debug, Deserialize)]
pub(in crate::server) struct Page {
    /// Only ids after this id.
    after: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<usize>,
}

/// The default and the maximum length of a list of ids.
const LISTED: usize = 1_000;
const LISTED_MAX: usize = 10_000;

impl Inspector {
    /// Ids that the visitor may see, in order, and whether there are more. Reads only keys, not values.
    fn owners(&self, app: App, Page { after, limit }: Page, visitor: &Visitor) -> (Vec<String>, bool) {
        let limit = limit.unwrap_or(LISTED).min(LISTED_MAX);
        let Ok(running) = self.engine.app(app) else { return (Vec::new(), false) };
        let query = running.streams.key_value_store::<String, Bytes>(app.owners);
        let (mut keys, mut after) = (Vec::new(), after);
        loop {
            let page = query.page_of_keys(after.as_ref(), LISTED).unwrap_or_default();
            let is_last = page.len() < LISTED;
            after = page.last().cloned();
            keys.extend(page.into_iter().filter(|key| visitor.sees(app, key)));
            if keys.len() > limit || is_last {
                let more = keys.len() > limit;
                keys.truncate(limit);
                return (keys, more);
            }
        }
    }
}

/// `GET /v1/<owners>?after=ID&limit=N`: ids that the visitor may see, in order.
pub(in crate::server) async fn owners(
    inspector: Arc<Inspector>,
    app: App,
    page: Page,
    visitor: Visitor,
) -> Result<Response, Problem> {
    inspector.engine.app(app)?;
    if page.limit == Some(0) {
        let problem = format!("limit must be from 1 to {LISTED_MAX}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, problem, "correct the value, or leave it out"));
    }
    let listed = tokio::task::spawn_blocking(move || inspector.owners(app, page, &visitor)).await;
    let (ids, more) = listed.map_err(|error| Problem::internal(&error))?;
    let ids: Vec<_> = ids.into_iter().map(|id| json!({ app.owner.field: id })).collect();
    let what = app.owner.plural;
    Ok(Json(if more { json!({ what: ids, "more": true }) } else { json!({ what: ids }) }).into_response())
}
