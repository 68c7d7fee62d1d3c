//! Queries of one key of a store: answered here, or forwarded to the instance that has the key.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill::{
    KeyQueryMetadata, QueryError, StoreKind,
    state::{CodecError, Session},
};

use super::{
    inspector::Inspector,
    peers::{Asked, FORWARDED},
};
use crate::server::{
    access::{Visitor, bearer},
    address::{Path, Query},
    engine::RunningApp,
    problem::Problem,
};

/// Seconds until a client may ask again: within some heartbeats, the owner of the key is known.
const RETRY_S: u64 = 2;

/// `?standby=true` lets a standby answer when the key's owner cannot; `?token=` is for pages that cannot send headers.
#[derive(Debug, Default, Deserialize)]
pub(in crate::server) struct KeyQuery {
    token: Option<String>,
    #[serde(default)]
    standby: bool,
}

/// `GET /state/stores/{name}/{key}`
pub(in crate::server) async fn key(
    State(inspector): State<Arc<Inspector>>,
    Path((store, key)): Path<(String, String)>,
    Query(KeyQuery { token, standby }): Query<KeyQuery>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let token = bearer(&headers).map(ToOwned::to_owned).or(token);
    let asked = Asked { store, key, token };
    inspector.find(asked, standby, headers.contains_key(FORWARDED)).await
}

impl Inspector {
    async fn find(self: Arc<Self>, asked: Asked, standby: bool, forwarded: bool) -> Result<Response, Problem> {
        let app = self.engine.apps().iter().find(|app| app.stores().contains_key(&asked.store));
        let app = app.ok_or_else(|| Problem::not_found("such store", "GET /state/stores lists them"))?;
        let place = app.streams.query_metadata_for_key(&asked.store, &asked.key);
        let KeyQueryMetadata { active, standbys, partition } = place.map_err(|error| Problem::internal(&error))?;
        let reason = match &active {
            None => "no known instance has the key at the moment".to_owned(),
            Some(host) if host.is_here => match self.clone().answer(&asked, partition, false).await? {
                Some(response) => return Ok(response),
                None => "the key's state is being restored here".to_owned(),
            },
            Some(host) if forwarded => format!("the key moved to instance {}", host.instance),
            Some(host) => match self.forward(host, &asked, false).await {
                Ok(response) => return Ok(response),
                Err(reason) => reason,
            },
        };
        if standby {
            if let Some(response) = self.clone().answer(&asked, partition, true).await? {
                return Ok(response);
            }
            let others = standbys.iter().filter(|host| !host.is_here && !forwarded);
            for host in others {
                match self.forward(host, &asked, true).await {
                    Ok(response) => return Ok(response),
                    Err(reason) => tracing::debug!(instance = %host.instance, %reason, "a standby does not answer"),
                }
            }
        }
        let fix =
            if standby { "ask again" } else { "ask again, or with ?standby=true for an answer that may be older" };
        Err(Problem::unavailable(reason, fix, RETRY_S))
    }

    /// Answers from the stores of this instance; `None` if no store that may answer has the key's partition.
    async fn answer(
        self: Arc<Self>,
        asked: &Asked,
        partition: i32,
        standby: bool,
    ) -> Result<Option<Response>, Problem> {
        let (store, key) = (asked.store.clone(), asked.key.clone());
        // A store answers between two records of its thread, so the answer may take a moment.
        let found = tokio::task::spawn_blocking(move || {
            let apps = self.engine.apps().iter();
            let kinds = apps.filter_map(|app| Some((app, *app.stores().get(&store)?)));
            kinds.map(|(app, kind)| read(app, kind, &store, &key, partition, standby)).next().unwrap_or(Ok(None))
        });
        found.await.map_err(|error| Problem::internal(&error))?
    }
}

fn read(
    app: &RunningApp,
    kind: StoreKind,
    store: &str,
    key: &String,
    partition: i32,
    standby: bool,
) -> Result<Option<Response>, Problem> {
    let show = |value: Bytes| (app.app.show)(value).map_err(|error: CodecError| Problem::internal(&error));
    let found = match kind {
        StoreKind::KeyValue => {
            let query = app.streams.key_value_store::<String, Bytes>(store).with_partition(partition);
            let query = if standby { query.enable_stale_stores() } else { query };
            query.get(key).map(|found| found.map(Found::Value))
        }
        StoreKind::Window { .. } => {
            let query = app.streams.window_store::<String, Bytes>(store).with_partition(partition);
            let query = if standby { query.enable_stale_stores() } else { query };
            query.fetch(key, 0, i64::MAX).map(|rows| Some(Found::Windows(rows)))
        }
        StoreKind::Session { .. } => {
            let query = app.streams.session_store::<String, Bytes>(store).with_partition(partition);
            let query = if standby { query.enable_stale_stores() } else { query };
            query.fetch(key).map(|sessions| Some(Found::Sessions(sessions)))
        }
        // No application has such a store.
        StoreKind::Versioned { .. } => Ok(None),
    };
    let value = match found {
        Err(QueryError::NotHere(_) | QueryError::NotRunning) => return Ok(None),
        Err(QueryError::WrongStoreTypes(_)) => {
            return Err(Problem::not_found("such key", "ask another store: the keys of this one are not texts"));
        }
        Err(error) => return Err(Problem::internal(&error)),
        Ok(None) => return Err(Problem::not_found("such key", "ask for a key that the application has seen")),
        Ok(Some(Found::Value(value))) => show(value)?,
        Ok(Some(Found::Windows(rows))) => {
            let mut windows = BTreeMap::<i64, Vec<Value>>::new();
            for (start, value) in rows {
                windows.entry(start).or_default().push(show(value)?);
            }
            let window = |(start, values)| json!({ "start_ms": start, "values": values });
            Value::Array(windows.into_iter().map(window).collect())
        }
        Ok(Some(Found::Sessions(sessions))) => {
            let session = |(Session { start, end }, value)| {
                Ok(json!({ "start_ms": start, "end_ms": end, "value": show(value)? }))
            };
            Value::Array(sessions.into_iter().map(session).collect::<Result<_, Problem>>()?)
        }
    };
    let mut shown = json!({ "store": store, "key": key, "value": value });
    if standby {
        shown["standby"] = json!(true);
    }
    Ok(Some(axum::Json(shown).into_response()))
}

/// A store's value or values of a key.
enum Found {
    Value(Bytes),
    /// Rows, each with the start of its window.
    Windows(Vec<(i64, Bytes)>),
    Sessions(Vec<(Session, Bytes)>),
}
