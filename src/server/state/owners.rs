//! The list of an application's owners.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

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

/// Puts the sources among the owners: an owner may have no source, and a new source no result.
fn merged(
    (ids, more): (Vec<String>, bool),
    sources: Vec<(String, Value)>,
    after: Option<&String>,
    limit: usize,
) -> (Vec<(String, Option<Value>)>, bool) {
    // Behind the last id of a page, other owners may follow.
    let last = ids.last().filter(|_| more).cloned();
    let mut all: BTreeMap<_, _> = ids.into_iter().map(|id| (id, None)).collect();
    let is_here = |id: &String| after.is_none_or(|after| id > after) && last.as_ref().is_none_or(|last| id <= last);
    all.extend(sources.into_iter().filter(|(id, _)| is_here(id)).map(|(id, source)| (id, Some(source))));
    let is_cut = all.len() > limit;
    (all.into_iter().take(limit).collect(), more || is_cut)
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
    let (after, limit) = (page.after.clone(), page.limit.unwrap_or(LISTED).min(LISTED_MAX));
    let listed = tokio::task::spawn_blocking(move || {
        let sources = inspector.sources.shown(app, &visitor);
        merged(inspector.owners(app, page, &visitor), sources, after.as_ref(), limit)
    });
    let listed = listed.await;
    let (owners, more) = listed.map_err(|error| Problem::internal(&error))?;
    let ids: Vec<_> = owners
        .into_iter()
        .map(|(id, source)| match source {
            Some(source) => json!({ app.owner.field: id, "source": source }),
            None => json!({ app.owner.field: id }),
        })
        .collect();
    let what = app.owner.plural;
    Ok(Json(if more { json!({ what: ids, "more": true }) } else { json!({ what: ids }) }).into_response())
}
