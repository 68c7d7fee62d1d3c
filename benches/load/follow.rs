//! Simulates pages that follow results.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Result;
use tidemill_apps::apps::http_client;
use tokio::task::JoinHandle;

use crate::{
    events::{stream_id, user_id},
    options::Options,
    tally::{App, Tally},
};

/// The time limit of a connection. It is longer than any run.
const TIMEOUT: Duration = Duration::from_hours(24);

/// Opens all pages.
pub(crate) fn all(options: &Options, address: SocketAddr, tally: &Arc<Tally>) -> Result<Vec<JoinHandle<()>>> {
    let http = http_client(TIMEOUT)?;
    let users = (0..options.followed.min(options.users)).map(|user| (App::Coach, user, "users", user_id(user)));
    let streams = (0..options.streams).map(|stream| (App::Live, stream, "streams", stream_id(stream)));
    let page = |(app, who, kind, id): (App, usize, &str, String)| {
        let url = format!("http://{address}/v1/{kind}/{id}/events?after=0");
        let (http, tally) = (http.clone(), tally.clone());
        tokio::spawn(async move {
            if let Err(error) = follow(&http, &url, |start_ms| tally.arrived(app, who, start_ms)).await {
                eprintln!("{url}: {error}");
            }
        })
    };
    Ok(users.chain(streams).map(page).collect())
}

async fn follow(http: &reqwest::Client, url: &str, mut arrived: impl FnMut(i64)) -> Result<()> {
    let mut response = http.get(url).send().await?.error_for_status()?;
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        text.extend_from_slice(&chunk);
        let mut taken = 0;
        while let Some(end) = text[taken..].windows(2).position(|two| two == b"\n\n") {
            if let Some(start_ms) = result(&String::from_utf8_lossy(&text[taken..taken + end])) {
                arrived(start_ms);
            }
            taken += end + 2;
        }
        text.drain(..taken);
    }
    anyhow::bail!("the server closed the stream of events")
}

/// The start of the window, if the event is the result of a window.
fn result(event: &str) -> Option<i64> {
    let is_result = event.lines().any(|line| matches!(line, "event: feedback" | "event: insight"));
    let (_, rest) = event.split_once("\"window_start_ms\":").filter(|_| is_result)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
