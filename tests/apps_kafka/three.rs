//! Three instances of both applications: they share the work, one is killed and comes back, a user is forgotten.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill::{
    state::{Codec as _, Utf8},
    {Windowed, WindowedCodec},
};
use tidemill_apps::{apps::http_client, server::Log};
use tidemill_broker::{Broker, Options};

use crate::{
    START, WAIT,
    common::{Running, until},
    log_of,
    running::{Results, insights, results, tidemill},
};

const WINDOWS: i64 = 9;
const STREAMS: [&str; 4] = ["ada", "bob", "eve", "joe"];
const USERS: [&str; 6] = ["ann", "ben", "cem", "dan", "eli", "fay"];
const CHATS: i64 = 10;
const FRAMES: i64 = 5;

fn serve(brokers: &str, data: &TempDir) -> Running {
    let mut command = tidemill(brokers);
    command.args(["serve", "--set", "run.standby_replicas=1", "--data-dir"]).arg(data.path());
    Running::start(&mut command)
}

fn frame(user: &str, timestamp: i64) -> Value {
    let point = |part: u8| json!({ "part": part, "x": 0.5, "y": 0.5, "z": 0.0, "visibility": 1.0 });
    let landmarks: Vec<_> = (0..33).map(point).collect();
    json!({ "user_id": user, "timestamp": timestamp, "exercise": "squat", "landmarks": landmarks })
}

/// What happens in one window, sent to one instance.
async fn send(http: &reqwest::Client, to: &Running, window: i64) {
    let at = START + window * 10_000;
    let chat = |stream, number: i64| json!({ "stream_id": stream, "user_id": format!("u{number}"), "text": "nice", "timestamp": at + number * 200 });
    let chats: Value = (0..CHATS).flat_map(|number| STREAMS.map(|stream| chat(stream, number))).collect();
    let frames: Value = (0..FRAMES).flat_map(|number| USERS.map(|user| frame(user, at + number * 400))).collect();
    for (path, events) in [("chat", chats), ("pose", frames)] {
        let response = http.post(format!("{}/v1/{path}", to.url)).json(&events).send().await.expect("answers");
        assert_eq!(response.status(), 202, "{}", response.text().await.unwrap_or_default());
    }
}

async fn get(http: &reqwest::Client, from: &Running, path: &str) -> (u16, Value) {
    let response = http.get(format!("{}{path}", from.url)).send().await.expect("answers");
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

/// How many tasks of each application run on an instance.
async fn running_tasks(http: &reqwest::Client, on: &Running) -> BTreeMap<String, usize> {
    let (_, tasks) = get(http, on, "/state/tasks").await;
    let mut running = BTreeMap::new();
    for task in tasks.as_array().into_iter().flatten().filter(|task| task["state"] == "running") {
        *running.entry(task["application"].as_str().expect("text").to_owned()).or_default() += 1;
    }
    running
}

async fn until_shared(http: &reqwest::Client, instances: &[&Running]) {
    until(WAIT, "every instance has tasks of both applications", async || {
        let mut together = BTreeMap::<_, usize>::new();
        for instance in instances {
            let tasks = running_tasks(http, instance).await;
            if tasks.len() != 2 || get(http, instance, "/readyz").await.0 != 200 {
                return false;
            }
            for (application, tasks) in tasks {
                *together.entry(application).or_default() += tasks;
            }
        }
        // One for each partition.
        together.values().all(|tasks| *tasks == 4)
    })
    .await;
}

fn feedback(log: &Log) -> Results {
    results(log, "coach-feedback", "user_id", |feedback| feedback["frames"].as_array().map_or(0, Vec::len))
}

fn expected(ids: &[&str], events: i64) -> Results {
    let windows = ids.iter().flat_map(|id| (0..WINDOWS - 1).map(move |at| ((*id).to_owned(), START + at * 10_000)));
    windows.map(|window| (window, vec![events as usize])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_instances_share_both_applications_and_one_may_die_and_come_back() {
    let Some(broker) = Broker::start(Options::new().session_timeout_ms(3000)) else { return };
    let (brokers, http) = (broker.bootstrap_servers(), http_client(WAIT).expect("a client"));
    let folders = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let [one, two, three] = folders.each_ref().map(|data| serve(&brokers, data));
    until_shared(&http, &[&one, &two, &three]).await;
    for window in 0..4 {
        send(&http, [&one, &two, &three][window as usize % 3], window).await;
    }
    // Records wait, transactions are open, calls are on their way.
    three.kill();
    for window in 4..6 {
        send(&http, [&one, &two][window as usize % 2], window).await;
    }
    until_shared(&http, &[&one, &two]).await;
    let three = serve(&brokers, &folders[2]);
    for window in 6..WINDOWS {
        send(&http, [&one, &two, &three][window as usize % 3], window).await;
    }
    until_shared(&http, &[&one, &two, &three]).await;

    let log = log_of(&brokers).await;
    let read = |of: fn(&Log) -> Results| {
        let log = log.clone();
        async move { tokio::task::spawn_blocking(move || of(&log)).await.expect("ends") }
    };
    let (insights_expected, feedback_expected) = (expected(&STREAMS, CHATS), expected(&USERS, FRAMES));
    until(WAIT, "every window has its results", async || {
        read(insights).await.len() >= insights_expected.len() && read(feedback).await.len() >= feedback_expected.len()
    })
    .await;
    assert_eq!(read(insights).await, insights_expected, "no window is missing, twice, or without a chat");
    assert_eq!(read(feedback).await, feedback_expected, "no window is missing, twice, or without a frame");

    for instance in [&one, &two, &three] {
        for user in USERS {
            until(WAIT, "a key is found from every instance", async || {
                get(&http, instance, &format!("/state/stores/progress/{user}")).await.0 == 200
            })
            .await;
        }
    }
    forgotten(&http, &[&one, &two, &three], &log).await;
}

/// Any instance forgets a user wherever the user's state is.
async fn forgotten(http: &reqwest::Client, instances: &[&Running], log: &Log) {
    let erased = http.delete(format!("{}/v1/users/ann", instances[0].url)).send().await.expect("answers");
    assert_eq!(erased.status(), 200);
    for instance in instances {
        assert_eq!(get(http, instance, "/state/stores/progress/ann").await.0, 404);
        assert_eq!(get(http, instance, "/state/stores/progress/ben").await.0, 200);
    }
    let log = log.clone();
    let last = tokio::task::spawn_blocking(move || {
        let mut last = BTreeMap::new();
        for (_, record) in log.read_all("coach-feedback").expect("reads") {
            let key: Windowed<String> =
                WindowedCodec::new(Utf8).decode(record.key.expect("a key")).expect("a windowed key");
            last.insert((key.key, key.window.start), record.value.is_some());
        }
        last
    });
    for ((user, start), stays) in last.await.expect("ends") {
        assert_eq!(stays, user != "ann", "{user} at {start}");
    }
}
