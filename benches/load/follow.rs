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
            let arrived = |event: &str| {
                if let Some(start_ms) = result(event) {
                    tally.arrived(app, who, start_ms);
                }
            };
            if let Err(error) = follow(&http, &url, None, arrived).await {
                eprintln!("{url}: {error}");
            }
        })
    };
    Ok(users.chain(streams).map(page).collect())
}

/// Hands each event of a page to `arrived`, until the connection ends.
pub(crate) async fn follow(
    http: &reqwest::Client,
    url: &str,
    token: Option<&str>,
    mut arrived: impl FnMut(&str),
) -> Result<()> {
    let request = http.get(url);
    let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
    let mut response = request.send().await?.error_for_status()?;
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        text.extend_from_slice(&chunk);
        let mut taken = 0;
        while let Some(end) = text[taken..].windows(2).position(|two| two == b"\n\n") {
            arrived(&String::from_utf8_lossy(&text[taken..taken + end]));
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
