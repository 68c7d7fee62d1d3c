//! Live insight: one of two instances is killed, and its topics are forgotten when all is over.

use std::{collections::BTreeMap, time::Instant};

use serde_json::{Value, json};
use tidemill::transport::Transport as _;
use tidemill_apps::{apps::http_client, server::Log};
use tidemill_broker::{Broker, Options};

use crate::{
    START, WAIT,
    common::Running,
    log_of,
    running::{insights, said, tidemill},
};

const WINDOWS: i64 = 9;
const KILLED_AFTER: i64 = 6;
const STREAMS: [&str; 4] = ["ada", "bob", "eve", "joe"];

async fn send(http: &reqwest::Client, to: &Running, window: i64) {
    let chat = |stream: &str, number: i64| {
        let (text, at) = (format!("{stream} {window} {number}"), START + window * 10_000 + number * 100);
        json!({ "stream_id": stream, "user_id": format!("u{number}"), "text": text, "timestamp": at })
    };
    let chats: Value = (0..20).flat_map(|number| STREAMS.map(|stream| chat(stream, number))).collect();
    let response = http.post(format!("{}/v1/chat", to.url)).json(&chats).send().await.expect("answers");
    assert_eq!(response.status(), 202);
}

/// Waits until a page of each stream has so many insights.
async fn wait_for(http: &reqwest::Client, running: &Running, windows: usize) {
    for stream in STREAMS {
        insights_after(http, running, stream, "0", windows).await;
    }
}

/// The first insights of a stream's page that comes with this id: the id and the start of each.
async fn insights_after(
    http: &reqwest::Client,
    running: &Running,
    stream: &str,
    after: &str,
    windows: usize,
) -> Vec<(String, i64)> {
    let (started, mut text) = (Instant::now(), String::new());
    let url = format!("{}/v1/streams/{stream}/events?after={after}", running.url);
    let mut response = http.get(url).send().await.expect("answers");
    loop {
        let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
        let of = |event: &str, name: &str| {
            event.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned())).unwrap_or_default()
        };
        let events = whole.split("\n\n").filter(|event| of(event, "event:") == "insight").map(|event| {
            let insight: Value = serde_json::from_str(&of(event, "data:")).expect("JSON");
            (of(event, "id:"), insight["window_start_ms"].as_i64().expect("a number"))
        });
        let events: Vec<_> = events.take(windows).collect();
        if events.len() == windows {
            return events;
        }
        assert!(started.elapsed() < WAIT, "{stream} has {} insights after {after}", events.len());
        let chunk = tokio::time::timeout(WAIT, response.chunk()).await.expect("in time");
        text.push_str(&String::from_utf8_lossy(&chunk.expect("reads").expect("goes on")));
    }
}

/// A page with an id of these topics gets what comes after it. A page with an id of other topics gets all results.
async fn places_of_other_topics_are_known(http: &reqwest::Client, running: &Running, windows: usize) {
    let stream = STREAMS[0];
    let all = insights_after(http, running, stream, "0", windows).await;
    let starts = |insights: &[(String, i64)]| insights.iter().map(|(_, start)| *start).collect::<Vec<_>>();
    let (id, _) = &all[3];
    assert_eq!(starts(&insights_after(http, running, stream, id, windows - 4).await), starts(&all[4..]));
    let (offsets, _) = id.split_once('@').expect("an id tells the last result");
    let (_, rest) = offsets.split_once('-').expect("there are several topics");
    for other in [format!("{offsets}@0.1"), format!("9000000-{rest}@0.1"), format!("9000000-{rest}")] {
        assert_eq!(starts(&insights_after(http, running, stream, &other, windows).await), starts(&all), "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_share_the_work_and_what_a_killed_one_left_is_done_once() {
    let Some(broker) = Broker::start(Options::new().session_timeout_ms(3000)) else { return };
    let (brokers, http) = (broker.bootstrap_servers(), http_client(WAIT).expect("a client"));
    let (stays, goes) = (
        Running::start(tidemill(&brokers).arg("live-insight")),
        Running::start(tidemill(&brokers).arg("live-insight")),
    );
    for window in 0..KILLED_AFTER {
        // Any instance takes anybody's events.
        send(&http, if window % 2 == 0 { &stays } else { &goes }, window).await;
        if window == 3 {
            wait_for(&http, &stays, 3).await;
        }
    }
    // Records wait, transactions are open, calls are on their way.
    goes.kill();
    for window in KILLED_AFTER..WINDOWS {
        send(&http, &stays, window).await;
    }
    // The last window stays open; all before it must be there.
    let closed = WINDOWS as usize - 1;
    wait_for(&http, &stays, closed).await;
    places_of_other_topics_are_known(&http, &stays, closed).await;

    let log = log_of(&brokers).await;
    let windows = STREAMS.iter().flat_map(|stream| (0..closed as i64).map(move |at| (stream, START + at * 10_000)));
    let expected: BTreeMap<_, _> = windows.map(|(stream, at)| (((*stream).to_owned(), at), vec![20])).collect();
    let reading = log.clone();
    let found = tokio::task::spawn_blocking(move || insights(&reading)).await.expect("ends");
    assert_eq!(found, expected, "no window is missing, twice, or without a chat");

    tokio::task::spawn_blocking(move || forgets_everything_of_its_own(&brokers, stays, &log)).await.expect("ends");
}

fn forgets_everything_of_its_own(brokers: &str, running: Running, log: &Log) {
    let reset = |yes: &[&str]| tidemill(brokers).arg("reset").args(yes).output().expect("the binary starts");
    let own = || {
        let topics = log.transport().admin().and_then(|mut admin| admin.list_topics()).expect("answers");
        topics.into_iter().filter(|topic| topic.starts_with("live-insight-")).count()
    };
    let before = own();
    let asked = said(&reset(&[]));
    assert!(asked.contains("topic live-insight-trend-changelog") && asked.contains("--yes"), "{asked}");
    let refused = reset(&["--yes"]);
    assert!(!refused.status.success() && said(&refused).contains("stop"), "{}", said(&refused));
    assert!(before > 0 && own() == before, "nothing is deleted while an instance runs");
    running.stop();
    let done = reset(&["--yes"]);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(own(), 0);
    assert!(!log.end_offsets("live-insights").expect("results stay").is_empty());
}
