//! Plays events over HTTP at a speed, as often as the server lets it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, StatusCode};
use tidemill::{Clock as _, SystemClock};

use super::recording::{Event, Kind};

/// How often what is due is sent.
const TICK: Duration = Duration::from_millis(100);
/// Bytes of a request, below what servers take by default.
const BODY: usize = 512 * 1024;
/// How long a server that says it is busy is asked again.
const PATIENCE: Duration = Duration::from_mins(2);

/// Time of the recording that is sent at once. Chat goes before what was said, so that more would make speech late.
const SPAN_MS: i64 = 1_000;
/// What recordings are moved in time by.
const MINUTE_MS: i64 = 60_000;

/// Where to, and how fast.
pub(super) struct Player {
    pub(super) http: Client,
    pub(super) url: String,
    pub(super) token: Option<String>,
    /// 0 for as fast as the server takes it.
    pub(super) speed: f64,
    pub(super) keep_times: bool,
}

impl Player {
    /// Plays events, which are in the order of time. Returns how many.
    pub(super) async fn play(&self, events: Vec<Event>) -> Result<usize> {
        let count = events.len();
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(0) };
        let (first_ms, length_ms) = (first.timestamp, last.timestamp - first.timestamp);
        let bar = ProgressBar::new(count as u64).with_style(style());
        let (started, now_ms) = (Instant::now(), SystemClock.now_ms());
        let played_ms = if self.speed > 0.0 { (length_ms as f64 / self.speed) as i64 } else { 0 };
        // As if the last event happened when it is sent: nothing lies in the future. By whole minutes, so that windows
        // hold what they held when it was recorded.
        let shift = (now_ms + played_ms - length_ms - first_ms).div_euclid(MINUTE_MS) * MINUTE_MS;
        let shift = if self.keep_times { 0 } else { shift };
        let mut batches: [Vec<String>; 3] = Default::default();
        let mut batch_ms = first_ms;
        for event in events {
            if event.timestamp - batch_ms >= SPAN_MS {
                self.send_all(&mut batches, &bar).await?;
                batch_ms = event.timestamp;
            }
            if self.speed > 0.0 {
                let due = Duration::from_secs_f64((event.timestamp - first_ms) as f64 / 1000.0 / self.speed);
                if due > started.elapsed() {
                    self.send_all(&mut batches, &bar).await?;
                    tokio::time::sleep(due.saturating_sub(started.elapsed()).max(TICK)).await;
                }
            }
            let (at, timestamp) = (event.kind as usize, event.timestamp + shift);
            batches[at].push(event.at(timestamp));
            if batches[at].iter().map(String::len).sum::<usize>() >= BODY {
                self.send_all(&mut batches, &bar).await?;
            }
        }
        self.send_all(&mut batches, &bar).await?;
        bar.finish();
        Ok(count)
    }

    async fn send_all(&self, batches: &mut [Vec<String>; 3], bar: &ProgressBar) -> Result<()> {
        for (kind, batch) in Kind::ALL.into_iter().zip(batches) {
            let batch = std::mem::take(batch);
            if !batch.is_empty() {
                self.send(kind, &batch).await?;
                bar.inc(batch.len() as u64);
            }
        }
        Ok(())
    }

    async fn send(&self, kind: Kind, batch: &[String]) -> Result<()> {
        let (url, body) = (format!("{}{}", self.url.trim_end_matches('/'), kind.path()), batch.join("\n"));
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

fn style() -> ProgressStyle {
    let template = "{elapsed_precise} {wide_bar} {human_pos}/{human_len} events, {per_sec}, {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
