//! Sends events over HTTP, as often as the server lets it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, StatusCode};
use tidemill::server::Input;

use super::{play::Sink, recording::Event};

/// Bytes of a request, below what servers take by default.
const BODY: usize = 512 * 1024;
/// Time of the recording that is sent at once. Chat goes before what was said: more would make speech late.
const SLICE_MS: i64 = 1_000;
/// How long a server that says it is busy is asked again.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server elsewhere.
pub(super) struct Post {
    http: Client,
    url: String,
    token: Option<String>,
    /// What is added to the events' times.
    shift_ms: i64,
    batches: [Vec<String>; 3],
    /// Time of the first event that waits.
    from_ms: Option<i64>,
}

impl Post {
    pub(super) fn new(http: Client, url: String, token: Option<String>, shift_ms: i64) -> Self {
        Self { http, url, token, shift_ms, batches: Default::default(), from_ms: None }
    }

    async fn send(&self, input: Input, batch: &[String]) -> Result<()> {
        let (url, body) = (format!("{}{}", self.url.trim_end_matches('/'), input.path()), batch.join("\n"));
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
            bail!("{url} refuses: HTTP {status}: {}", response.text().await.unwrap_or_default());
        }
    }
}

impl Sink for Post {
    fn fits(&self, event: &Event) -> bool {
        let is_soon = self.from_ms.is_none_or(|from_ms| event.timestamp - from_ms < SLICE_MS);
        is_soon && self.batches[event.input as usize].iter().map(String::len).sum::<usize>() < BODY
    }

    fn push(&mut self, event: &Event) {
        self.from_ms.get_or_insert(event.timestamp);
        self.batches[event.input as usize].push(event.at(event.timestamp + self.shift_ms));
    }

    async fn flush(&mut self) -> Result<usize> {
        let mut sent = 0;
        self.from_ms = None;
        for (input, batch) in Input::ALL.into_iter().zip(std::mem::take(&mut self.batches)) {
            if !batch.is_empty() {
                self.send(input, &batch).await?;
                sent += batch.len();
            }
        }
        Ok(sent)
    }
}
