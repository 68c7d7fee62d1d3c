//! The binary is killed in the middle and started again: no window is missing, none is twice.

mod common;

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use common::Running;
use serde_json::{Value, json};
use tidemill::transport::embedded::EmbeddedLog;
use tidemill_apps::apps::{http_client, recordings};

const WAIT: Duration = Duration::from_mins(1);
/// A minute that is long over: event time does not depend on when the test runs.
const START: i64 = recordings::START_MS;
const WINDOWS: i64 = 12;

/// An application, what is sent to it, and what comes out.
struct Case {
    command: &'static str,
    settings: &'static [&'static str],
    path: &'static str,
    /// Where the results of an id are followed, and what they are called.
    events: fn(&str) -> String,
    result: &'static str,
    ids: &'static [&'static str],
    /// The events of a window, of all ids.
    events_of: fn(i64) -> Value,
    /// The number of windows of an id that close. The last one stays open.
    closed: usize,
    /// Topics of results.
    topics: &'static [&'static str],
}

fn start(case: &Case, data_dir: &Path) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args([case.command, "--listen", "127.0.0.1:0", "--set", "run.partitions=2"]);
    // Silence must not close windows: then the two runs may be compared, however slow the machine is.
    for setting in
        case.settings.iter().chain(&["live.idle_after=1h", "coach.idle_after=1h", "data.raw_retention=3650d"])
    {
        command.args(["--set", setting]);
    }
    Running::start(command.arg("--data-dir").arg(data_dir))
}

async fn send(http: &reqwest::Client, case: &Case, running: &Running, window: i64) {
    let url = format!("{}{}", running.url, case.path);
    let response = http.post(url).json(&(case.events_of)(window)).send().await.expect("answers");
    assert_eq!(response.status(), 202);
}

/// What a topic has: results by key, and how many there ever were.
#[derive(Debug, PartialEq)]
struct Results {
    by_key: BTreeMap<Vec<u8>, Value>,
    count: i64,
}

fn results(case: &Case, data_dir: &Path) -> Vec<Results> {
    let log = EmbeddedLog::open(data_dir.join("log")).expect("nobody has it open");
    let result = |value: bytes::Bytes| {
        let mut value: Value = serde_json::from_slice(&value).expect("JSON");
        // How an answer came about, such as how long it took, is different in each run.
        value.as_object_mut().map(|fields| fields.remove("provenance"));
        // Silence is told by each window that it lasts for, as the same alert; which of them is the last on the log
        // depends on whose analysis was done last.
        if value["kind"] == "silent_microphone" {
            value = Value::Null;
        }
        value
    };
    let of_topic = |topic: &&str| {
        let records = log.read_all(topic).expect("reads").into_iter().map(|(_, record)| (record.key, record.value));
        let by_key = records
            .map(|(key, value)| (key.expect("results have keys").to_vec(), result(value.expect("nothing is erased"))));
        // Compaction takes what was replaced; offsets tell that it was there.
        Results { by_key: by_key.collect(), count: log.end_offsets(topic).expect("reads").iter().sum() }
    };
    case.topics.iter().map(of_topic).collect()
}

/// Waits until as many results are there as windows are closed.
async fn wait_for(http: &reqwest::Client, case: &Case, running: &Running, windows: usize) {
    let started = Instant::now();
    let name = format!("event: {}", case.result);
    for id in case.ids {
        let url = format!("{}{}?after=0", running.url, (case.events)(id));
        let mut response = http.get(url).send().await.expect("answers");
        let mut text = String::new();
        while text.matches(&name).count() < windows {
            assert!(started.elapsed() < WAIT, "{id} has {} results", text.matches(&name).count());
            let chunk = tokio::time::timeout(WAIT, response.chunk()).await.expect("in time");
            text.push_str(&String::from_utf8_lossy(&chunk.expect("reads").expect("goes on")));
        }
    }
}

/// The results of an undisturbed run, which are those of a run that was killed again and again.
async fn killed_and_undisturbed(case: Case) -> Vec<Results> {
    let http = http_client(WAIT).expect("a client");
    let (calm, rough) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let closed = case.closed;

    let running = start(&case, calm.path());
    for window in 0..WINDOWS {
        send(&http, &case, &running, window).await;
    }
    wait_for(&http, &case, &running, closed).await;
    running.kill();

    let mut running = start(&case, rough.path());
    for window in 0..WINDOWS {
        send(&http, &case, &running, window).await;
        if window % 3 == 2 {
            // At once: records wait, transactions are open, calls are on their way.
            running.kill();
            running = start(&case, rough.path());
        }
    }
    wait_for(&http, &case, &running, closed).await;
    running.kill();

    let (expected, got) = (results(&case, calm.path()), results(&case, rough.path()));
    for (topic, (expected, got)) in case.topics.iter().zip(expected.iter().zip(&got)) {
        for (key, expected) in &expected.by_key {
            assert_eq!(got.by_key.get(key), Some(expected), "{topic}");
        }
        assert_eq!((got.by_key.len(), got.count), (expected.by_key.len(), expected.count), "{topic}: missing or twice");
    }
    let windows = closed * case.ids.len();
    assert_eq!((expected[0].by_key.len(), expected[0].count), (windows, windows as i64), "one result for each window");
    expected
}

#[tokio::test(flavor = "multi_thread")]
async fn live_insight_killed_in_the_middle_gives_the_same_results() {
    /// The mood falls in the seventh window.
    fn chats(window: i64) -> Value {
        let mood = if window < 7 { "love it" } else { "awful" };
        let chat = |stream: &str, number: i64| {
            let text = format!("{mood} {stream} {window} {number}");
            let at = START + window * 10_000 + number * 500;
            json!({ "stream_id": stream, "user_id": format!("u{number}"), "text": text, "timestamp": at })
        };
        (0..20).flat_map(|number| ["ada", "bob", "eve"].map(|stream| chat(stream, number))).collect()
    }
    let results = killed_and_undisturbed(Case {
        command: "live-insight",
        settings: &["live.window=10s", "live.grace=1s"],
        path: "/v1/chat",
        events: |stream| format!("/v1/streams/{stream}/events"),
        result: "insight",
        ids: &["ada", "bob", "eve"],
        events_of: chats,
        closed: WINDOWS as usize - 1,
        topics: &["live-insights", "live-alerts", "live-clips"],
    })
    .await;
    let drops = results[1].by_key.values().filter(|alert| alert["kind"] == "mood_drop" && alert["ahead"] == true);
    assert_eq!(drops.count(), 3, "each stream was told once, while its window was open");
}

/// The frames of a recorded session in a window.
fn recorded(name: &str, window: i64) -> Vec<Value> {
    let inside = START + window * 3_000..START + (window + 1) * 3_000;
    let text = common::recordings::recorded(&format!("{name}.ndjson"));
    let frames = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    frames.filter(|frame| inside.contains(&frame["timestamp"].as_i64().expect("a number"))).collect()
}

/// The most repetitions that an athlete's results tell.
fn counted(results: &[Results], user: &str) -> Option<u64> {
    let of = results[0].by_key.values().filter(|feedback| feedback["user_id"] == user);
    of.map(|feedback| feedback["session_repetitions"].as_u64().expect("a number")).max()
}

#[tokio::test(flavor = "multi_thread")]
async fn form_coach_killed_in_the_middle_gives_the_same_results() {
    const SESSIONS: &[&str] = &["pull_ups_half", "squats_clean", "push_ups_clean"];
    let results = killed_and_undisturbed(Case {
        command: "form-coach",
        settings: &["coach.window=3s", "coach.grace=500ms"],
        path: "/v1/pose",
        events: |user| format!("/v1/users/{user}/events"),
        result: "feedback",
        ids: SESSIONS,
        events_of: |window| SESSIONS.iter().flat_map(|name| recorded(name, window)).collect(),
        closed: WINDOWS as usize - 1,
        topics: &["coach-feedback"],
    })
    .await;
    let counted = |user: &str| counted(&results, user);
    assert!(counted("squats_clean") > Some(5) && counted("push_ups_clean") > Some(5), "sessions go on across kills");
}

#[tokio::test(flavor = "multi_thread")]
async fn form_coach_killed_in_the_middle_of_repetitions_gives_the_same_results() {
    const USERS: &[&str] = &["ada", "bob", "eve"];
    /// The same squats of each athlete.
    fn frames(window: i64) -> Value {
        let of = |user: &str| {
            let mut frames = recorded("squats_clean", window);
            for frame in &mut frames {
                frame["user_id"] = user.into();
            }
            frames
        };
        USERS.iter().flat_map(|user| of(user)).collect()
    }
    let results = killed_and_undisturbed(Case {
        command: "form-coach",
        settings: &["coach.windows=repetition", "coach.grace=500ms"],
        path: "/v1/pose",
        events: |user| format!("/v1/users/{user}/events"),
        result: "feedback",
        ids: USERS,
        events_of: frames,
        // The tenth ends with the last frame.
        closed: 9,
        topics: &["coach-feedback"],
    })
    .await;
    assert_eq!(["ada", "bob", "eve"].map(|user| counted(&results, user)), [Some(9); 3]);
}
