//! Many sources with chat alone.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tidemill::{Clock as _, SystemClock};
use tidemill_chat_servers::{GenericServer, Kind, Line, Schedule};
use tokio::sync::mpsc;

use super::{GRACE_MS, Options, WINDOW_MS, page, per_source, server};
use crate::{
    figures::{Figures, mebibytes, percentiles},
    instance::Instance,
};

/// So many sources read one stand-in.
const EACH: usize = 10;
/// How often the probe asks how many messages are on the log.
const ASK: Duration = Duration::from_millis(10);

pub(super) async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let instance = server(folder.path(), &[]).await?;
    let empty = instance.usage()?;
    let chats: Vec<_> =
        (0..options.chats.div_ceil(EACH)).map(|_| Arc::new(GenericServer::start(Schedule::default()))).collect();
    let probe = Arc::new(GenericServer::start(Schedule::default()));
    let asked = json!({ "cursor_parameter": "cursor", "fields": { "timestamp": "time" } });
    for source in 0..options.chats {
        let url = format!("{}?source={source}", chats[source / EACH].socket());
        instance.start_stream(&format!("s{source}"), &url, asked.clone()).await?;
    }
    instance.start_stream("probe", &probe.socket(), asked).await?;
    let (show, mut shown) = mpsc::unbounded_channel();
    let pages: Vec<_> = (0..options.chats)
        .map(|source| {
            let url = instance.url(&format!("/v1/streams/s{source}/events?after=0"));
            tokio::spawn(page::follow(url, source, show.clone()))
        })
        .collect();
    until_connected(&instance, options.chats).await?;

    let (began, started) = (instance.usage()?, Instant::now());
    let writing: Vec<_> = chats.iter().map(|chat| tokio::spawn(write(chat.clone(), options.clone()))).collect();
    let probing = probing(&instance, &probe, options).await?;
    let (ended, wall) = (instance.usage()?, started.elapsed());
    let mut posted = Vec::new();
    for one in writing {
        posted.push(one.await?);
    }
    // The last windows close after a silence.
    tokio::time::sleep(Duration::from_millis((WINDOW_MS * 2 + GRACE_MS) as u64)).await;
    pages.iter().for_each(tokio::task::JoinHandle::abort);
    shown.close();
    let mut windows = HashMap::new();
    let mut to_page = Vec::new();
    while let Some(one) = shown.recv().await {
        windows.insert((one.source, one.window_start_ms), one.chats);
        let inside = posted[one.source / EACH].iter().rfind(|at_ms| **at_ms < one.window_end_ms);
        let last = inside.filter(|at_ms| **at_ms >= one.window_start_ms);
        to_page.extend(last.map(|at_ms| Duration::from_millis((one.at_ms - at_ms).max(0) as u64)));
    }
    let sent: usize = (0..options.chats).map(|source| posted[source / EACH].len()).sum();
    let counted: u64 = windows.values().sum();
    drop(instance);

    let mut figures = Figures::default();
    figures.add("sources, each with its page", options.chats);
    figures.add("messages a second, in all", format!("{:.0}", sent as f64 / wall.as_secs_f64()));
    let [cpu, _] = per_source(began, ended, wall, options.chats);
    figures.add("CPU of a source, in % of a core", format!("{cpu:.3}"));
    let growth = ended.server_rss.saturating_sub(empty.server_rss) as f64;
    figures.add("memory of a source", mebibytes(growth / options.chats as f64));
    figures.add(
        "memory of the server, empty → at the end",
        [empty, ended].map(|usage| mebibytes(usage.server_rss as f64)).join(" → "),
    );
    figures.add("from the chat's server to the log", percentiles(probing));
    let windows = format!("from a window's last message to the page (window {WINDOW_MS} ms, grace {GRACE_MS} ms)");
    figures.add(windows, percentiles(to_page));
    figures.check("messages in insights of those posted", format!("{counted} of {sent}"), counted == sent as u64);
    let wrong = figures.print("Load of live sources: chat alone");
    ensure!(wrong.is_empty(), "this does not hold: {}", wrong.join("; "));
    Ok(())
}

async fn until_connected(instance: &Instance, count: usize) -> Result<()> {
    let ids = (0..count).map(|source| format!("s{source}")).chain(["probe".to_owned()]);
    for id in ids {
        let started = Instant::now();
        while instance.source(&id).await?["state"] != "connected" {
            ensure!(started.elapsed() < Duration::from_mins(1), "the source {id} is not connected");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// Viewers write for the length of the load. Returns when they wrote.
async fn write(chat: Arc<GenericServer>, options: Options) -> Vec<i64> {
    let (started, mut posted) = (Instant::now(), Vec::new());
    while started.elapsed() < options.length() {
        posted.push(post(&chat, posted.len()));
        let due = posted.len() as f64 / options.per_second;
        tokio::time::sleep(Duration::from_secs_f64(due).saturating_sub(started.elapsed())).await;
    }
    posted
}

fn post(chat: &GenericServer, number: usize) -> i64 {
    let at_ms = SystemClock.now_ms();
    let (id, text) = (format!("m{number}"), format!("what a play, number {number}"));
    let (user_id, user_name, shown) = (format!("u{}", number % 50), format!("Viewer {}", number % 50), text.clone());
    chat.post([Line { id, user_id, user_name, text, shown, kind: Kind::Text, at_ms }]);
    at_ms
}

/// Writes into one more chat. Returns how long each message took from the chat's server to the log.
async fn probing(instance: &Instance, probe: &GenericServer, options: &Options) -> Result<Vec<Duration>> {
    let (started, mut count, mut took) = (Instant::now(), 0, Vec::new());
    let mut waiting = VecDeque::new();
    while started.elapsed() < options.length() {
        if started.elapsed() >= Duration::from_millis(200) * count as u32 {
            post(probe, count);
            count += 1;
            waiting.push_back((count as u64, Instant::now()));
        }
        let written = instance.source("probe").await?["messages"].as_u64().context("the probe is read")?;
        while let Some((_, since)) = waiting.front().copied().filter(|(number, _)| *number <= written) {
            took.push(since.elapsed());
            waiting.pop_front();
        }
        tokio::time::sleep(ASK).await;
    }
    Ok(took)
}
