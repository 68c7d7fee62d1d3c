//! A page that follows a stream's insights.

use std::time::Duration;

use anyhow::Result;
use tidemill::{Clock as _, SystemClock};
use tidemill_apps::apps::http_client;
use tokio::sync::mpsc;

/// An insight on a page.
pub(super) struct Shown {
    pub(super) source: usize,
    pub(super) window_start_ms: i64,
    pub(super) window_end_ms: i64,
    /// How many messages it counts.
    pub(super) chats: u64,
    /// When the page got it.
    pub(super) at_ms: i64,
}

/// Follows a page until it is stopped.
pub(super) async fn follow(url: String, source: usize, shown: mpsc::UnboundedSender<Shown>) -> Result<()> {
    let mut response = http_client(Duration::from_hours(1))?.get(url).send().await?.error_for_status()?;
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        text.extend_from_slice(&chunk);
        while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            let event = String::from_utf8_lossy(&event);
            let data = event.lines().find_map(|line| line.strip_prefix("data:"));
            let Some(data) = data.filter(|_| event.contains("event: insight")) else { continue };
            let insight: serde_json::Value = serde_json::from_str(data)?;
            let number = |name: &str| insight[name].as_i64().unwrap_or(0);
            let [window_start_ms, window_end_ms] = ["window_start_ms", "window_end_ms"].map(number);
            let (chats, at_ms) = (number("chats") as u64, SystemClock.now_ms());
            // Nobody takes it any more at the end.
            let _ = shown.send(Shown { source, window_start_ms, window_end_ms, chats, at_ms });
        }
    }
    Ok(())
}
