//! The binary is killed in the middle and started again: no window is missing, none is twice.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tidemill::{apps::http_client, transport::embedded::EmbeddedLog};

const WAIT: Duration = Duration::from_mins(1);
/// A minute that is long over: event time does not depend on when the test runs.
const START: i64 = 1_767_225_600_000;
const WINDOWS: i64 = 12;

/// A server of its own; killed when dropped.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    fn start(data_dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidemill"))
            .args([
                "live-insight",
                "--listen",
                "127.0.0.1:0",
                "--set",
                "run.partitions=2",
                "--set",
                "live.window=10s",
                "--set",
                "live.grace=1s",
            ])
            // Silence must not close windows: then the two runs may be compared, however slow the machine is.
            .args(["--set", "live.idle_after=1h", "--set", "data.raw_retention=1d", "--data-dir"])
            .arg(data_dir)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(format!("http://{}", line.split("http://").nth(1)?.split(',').next()?)))
            .expect("it says where it listens");
        // Nobody reads further, but the pipe must not fill.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }

    /// SIGKILL: nothing is flushed, nothing is closed.
    fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("and ends");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn chats(window: i64) -> Value {
    let at = START + window * 10_000;
    let chat = |stream: &str, number: i64| {
        let text = format!("{stream} {window} {number}");
        json!({ "stream_id": stream, "user_id": format!("u{number}"), "text": text, "timestamp": at + number * 100 })
    };
    (0..20).flat_map(|number| ["ada", "bob", "eve"].map(|stream| chat(stream, number))).collect()
}

async fn send(http: &reqwest::Client, running: &Running, window: i64) {
    let response = http.post(format!("{}/v1/chat", running.url)).json(&chats(window)).send().await.expect("answers");
    assert_eq!(response.status(), 202);
}

/// Insights of all streams, by stream and window; the number of results with it.
fn insights(data_dir: &Path) -> (BTreeMap<(String, i64), Value>, usize) {
    let log = EmbeddedLog::open(data_dir.join("log")).expect("nobody has it open");
    let records = log.read_all("live-insights").expect("reads");
    let count = records.len();
    let insight = |value: bytes::Bytes| {
        let value: Value = serde_json::from_slice(&value).expect("JSON");
        let stream = value["stream_id"].as_str().expect("text").to_owned();
        ((stream, value["window_start_ms"].as_i64().expect("a number")), value)
    };
    (records.into_iter().filter_map(|(_, record)| record.value).map(insight).collect(), count)
}

/// Waits until as many insights are there as windows are closed.
async fn wait_for(http: &reqwest::Client, running: &Running, windows: usize) {
    let started = Instant::now();
    for stream in ["ada", "bob", "eve"] {
        let url = format!("{}/v1/streams/{stream}/events?after=0", running.url);
        let mut response = http.get(url).send().await.expect("answers");
        let mut text = String::new();
        while text.matches("event: insight").count() < windows {
            assert!(started.elapsed() < WAIT, "{stream} has {} insights", text.matches("event: insight").count());
            let chunk = tokio::time::timeout(WAIT, response.chunk()).await.expect("in time");
            text.push_str(&String::from_utf8_lossy(&chunk.expect("reads").expect("goes on")));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_gives_the_same_results() {
    let http = http_client(WAIT).expect("a client");
    let (calm, rough) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    // The last window stays open; all before it must be there.
    let closed = WINDOWS as usize - 1;

    let running = Running::start(calm.path());
    for window in 0..WINDOWS {
        send(&http, &running, window).await;
    }
    wait_for(&http, &running, closed).await;
    running.kill();

    let mut running = Running::start(rough.path());
    for window in 0..WINDOWS {
        send(&http, &running, window).await;
        if window % 3 == 2 {
            // At once: records wait, transactions are open, calls are on their way.
            running.kill();
            running = Running::start(rough.path());
        }
    }
    wait_for(&http, &running, closed).await;
    running.kill();

    let ((expected, count), (got, got_count)) = (insights(calm.path()), insights(rough.path()));
    assert_eq!(count, closed * 3);
    assert_eq!(got_count, count, "no window is missing or twice");
    assert_eq!(got, expected);
}
