//! Chats that are asked again and again over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{
    path::{as_text, find},
    reader::Reader,
};
use crate::{
    Batch, ChatError, Connection, Position, Pump, Source,
    net::{Http, Token, body, failed, unreadable},
};

const CURSORS: [&str; 4] = ["cursor", "next_cursor", "nextPageToken", "next"];
const INTERVALS: [&str; 2] = ["pollingIntervalMillis", "poll_interval_ms"];
pub(super) const WHAT: &str = "the chat's server";
/// How long to wait between two requests, if neither the source nor the answer says it, at least, and at most.
const USUAL_MS: u64 = 2_000;
const SHORTEST_MS: u64 = 500;
const LONGEST_MS: u64 = 60_000;

/// A chat over HTTP.
#[derive(Debug)]
pub(super) struct Poll {
    http: Http,
    url: Url,
    token: Option<Token>,
    reader: Reader,
    cursor: Option<String>,
    cursor_path: Option<String>,
    cursor_parameter: String,
    interval_path: Option<String>,
    interval: Duration,
}

impl Poll {
    pub(super) fn new(
        http: Http,
        url: Url,
        token: Option<Token>,
        source: &Source,
        reader: Reader,
        from: Option<&Position>,
    ) -> Self {
        let cursor = from.and_then(|Position(at)| at.get("cursor")?.as_str().map(str::to_owned));
        let option = |name: &str| source.text(name).map(str::to_owned);
        let interval_ms = source.options.get("interval_ms").and_then(Value::as_u64).unwrap_or(USUAL_MS);
        Self {
            http,
            url,
            token,
            reader,
            cursor,
            cursor_path: option("cursor"),
            cursor_parameter: option("cursor_parameter").unwrap_or_else(|| "cursor".to_owned()),
            interval_path: option("interval"),
            interval: pause(interval_ms),
        }
    }

    /// Asks once.
    async fn ask(&mut self) -> Result<Batch, ChatError> {
        let mut url = self.url.clone();
        if let Some(cursor) = &self.cursor {
            url.query_pairs_mut().append_pair(&self.cursor_parameter, cursor);
        }
        let mut request = self.http.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(&token.text);
        }
        let response = request.send().await.map_err(|error| unreadable(WHAT, error))?;
        if !response.status().is_success() {
            return Err(failed(
                WHAT,
                &response,
                "the token of this host",
                self.token.as_ref().is_some_and(|token| token.renews),
            ));
        }
        let text = body(WHAT, response).await?;
        let mut batch = Batch::default();
        match serde_json::from_str::<Value>(&text) {
            Ok(answer) => {
                for item in self.reader.items(&answer) {
                    self.reader.read(item, &mut batch);
                }
                let at = |named: &Option<String>, usual: &[&str]| match named {
                    Some(path) => find(&answer, path).and_then(as_text),
                    None => usual.iter().find_map(|path| find(&answer, path).and_then(as_text)),
                };
                self.cursor = at(&self.cursor_path, &CURSORS).or(self.cursor.take());
                if let Some(ms) = at(&self.interval_path, &INTERVALS).and_then(|ms| ms.parse().ok()) {
                    self.interval = pause(ms);
                }
                batch.ended |= answer.get("ended") == Some(&Value::Bool(true));
            }
            Err(_) if text.trim_start().starts_with(['{', '[']) => {
                let mut lines = text.lines();
                if lines.next().is_none_or(|line| serde_json::from_str::<Value>(line).is_err()) {
                    return Err(ChatError::transient(format!("{WHAT} sent JSON that breaks off")));
                }
                self.reader.read_lines(&text, &mut batch);
            }
            Err(_) if text.trim().is_empty() => {}
            Err(_) => {
                let remedy = "give the address of the chat itself in the option chat";
                return Err(ChatError::refused(format!("{WHAT} did not send JSON"), remedy));
            }
        }
        batch.position = self.cursor.as_ref().map(|cursor| Position(json!({ "cursor": cursor })));
        Ok(batch)
    }
}

/// A server is not flooded, whoever says how often it is asked.
fn pause(ms: u64) -> Duration {
    Duration::from_millis(ms.clamp(SHORTEST_MS, LONGEST_MS))
}

/// Asks for the first time, and goes on in a task.
pub(super) async fn open(mut poll: Poll) -> Result<Box<dyn Connection>, ChatError> {
    let first = poll.ask().await?;
    let pump = Pump::run(|outlet| async move {
        let mut batch = first;
        loop {
            let ended = batch.ended;
            outlet.put(batch).await?;
            if ended {
                return Ok(());
            }
            poll.reader.clock().sleep(poll.interval).await;
            batch = poll.ask().await?;
        }
    });
    Ok(Box::new(pump))
}
