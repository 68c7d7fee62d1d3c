//! Sends events over HTTP, as fast as the server accepts them.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;
use tidemill_apps::apps::{APPLICATIONS, Input};

use super::{play::Sink, recording::Event};

/// Size of a request body in bytes, below the default limit of servers.
const BODY: usize = 512 * 1024;
/// Time span that is sent at once, in milliseconds. Chat is sent before speech: a longer span would make speech late.
const SLICE_MS: i64 = 1_000;
/// How long a request to a busy server is repeated.
const PATIENCE: Duration = Duration::from_mins(2);

/// The most owners that are asked for their late events.
const OWNERS: usize = 100;

/// Sends events to a server.
pub(super) struct Post {
    http: Client,
    url: String,
    token: Option<String>,
    /// Milliseconds added to the events' times.
    shift_ms: i64,
    /// The waiting events of each kind, in the order of sending.
    batches: Vec<(&'static Input, Vec<String>)>,
    /// Time of the first waiting event.
    from_ms: Option<i64>,
}

impl Post {
    pub(super) fn new(http: Client, url: String, token: Option<String>, shift_ms: i64) -> Self {
        let inputs = APPLICATIONS.iter().flat_map(|app| app.inputs);
        let batches = inputs.map(|input| (input, Vec::new())).collect();
        Self { http, url, token, shift_ms, batches, from_ms: None }
    }

    /// The late events that the server was told of since it started, of these owners: their number, and for each owner
    /// and input what happened. Servers that do not tell are taken for servers without late events.
    pub(super) async fn late(&self, owners: &BTreeSet<(&'static str, &str)>) -> (u64, Vec<String>) {
        let (mut total, mut details) = (0, Vec::new());
        for (plural, id) in owners.iter().take(OWNERS) {
            let Ok(mut url) = Url::parse(&self.url) else { continue };
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().extend(["v1", plural, id, "late"]);
            }
            let mut request = self.http.get(url);
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            let Ok(response) = request.send().await else { continue };
            let late: Value = response.json().await.unwrap_or_default();
            for late in late["late"].as_array().into_iter().flatten() {
                total += late["total"].as_u64().unwrap_or(0);
                details.extend(late["detail"].as_str().map(|detail| format!("{id}: {detail}")));
            }
        }
        (total, details)
    }

    async fn send(&self, input: &Input, batch: &[String]) -> Result<()> {
        let (url, body) = (format!("{}{}", self.url.trim_end_matches('/'), input.path), batch.join("\n"));
        let started = Instant::now();
        loop {
            let mut request = self.http.post(&url).header("content-type", "application/x-ndjson").body(body.clone());
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.with_context(|| format!("{} does not answer", self.url))?;
            let status = response.status();
            if status.is_success() {
                return Ok(());
            }
            if status == StatusCode::TOO_MANY_REQUESTS && started.elapsed() < PATIENCE {
                let pause = response.headers().get("retry-after").and_then(|pause| pause.to_str().ok()?.parse().ok());
                tokio::time::sleep(Duration::from_secs(pause.unwrap_or(1))).await;
                continue;
            }
            bail!("{url} refuses the events: HTTP {status}: {}", response.text().await.unwrap_or_default());
        }
    }
}

impl Sink for Post {
    fn fits(&self, event: &Event) -> bool {
        let is_soon = self.from_ms.is_none_or(|from_ms| event.timestamp - from_ms < SLICE_MS);
        let waiting = self.batches.iter().filter(|(input, _)| *input == event.input).flat_map(|(_, batch)| batch);
        is_soon && waiting.map(String::len).sum::<usize>() < BODY
    }

    fn push(&mut self, event: &Event) {
        self.from_ms.get_or_insert(event.timestamp);
        let text = event.at(event.timestamp + self.shift_ms);
        let batch = self.batches.iter_mut().find(|(input, _)| *input == event.input);
        batch.expect("an event is of a known kind").1.push(text);
    }

    async fn flush(&mut self) -> Result<usize> {
        let mut sent = 0;
        self.from_ms = None;
        for at in 0..self.batches.len() {
            let (input, batch) = &mut self.batches[at];
            let (input, batch) = (*input, std::mem::take(batch));
            if !batch.is_empty() {
                self.send(input, &batch).await?;
                sent += batch.len();
            }
        }
        Ok(sent)
    }
}
