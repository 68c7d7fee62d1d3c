//! Calls without an answer, from the command line: listed and asked again, and what is told to whoever errs.

mod common;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use common::Running;
use tidemill::transport::embedded::{EmbeddedLog, Entry};

fn tidemill(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The exit code of a command that ends by itself, and what it prints and says.
fn ended(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = tidemill(arguments).output().expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A model that refuses every request.
fn refusing_model() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || refuse(&stream));
        }
    });
    format!("http://{address}")
}

fn refuse(mut stream: &TcpStream) {
    let mut lines = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        let line = line.to_ascii_lowercase();
        length = line.strip_prefix("content-length:").and_then(|text| text.trim().parse().ok()).unwrap_or(length);
    }
    let mut body = vec![0; length];
    let _ = lines.read_exact(&mut body);
    let answer = "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let _ = stream.write_all(answer.as_bytes());
}

fn post(url: &str, path: &str, body: &str) -> String {
    let mut server = TcpStream::connect(url.trim_start_matches("http://")).expect("it listens");
    let headers = "host: localhost\r\ncontent-type: application/json\r\nconnection: close";
    let length = body.len();
    server
        .write_all(format!("POST {path} HTTP/1.1\r\n{headers}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes())
        .expect("sent");
    let mut answer = String::new();
    server.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn dead_letters_are_listed_and_asked_again_once() {
    let endpoint = format!("analyst.endpoint={}", refusing_model());
    let short = ["--set", "live.window=1s", "--set", "live.grace=100ms", "--set", "live.idle_after=200ms"];
    let serve = ["serve", "--listen", "127.0.0.1:0", "--analyst", "gemini", "--set", &endpoint];
    let arguments = [&serve[..], &short].concat();
    let running = Running::start(tidemill(&arguments).env("TIDEMILL_ANALYST_API_KEY", "key"));
    let url = running.url.clone();
    let dlq = |arguments: &[&str]| ended(&[&["dlq"], arguments, &["--url", &url]].concat());

    let (code, listed, told) = dlq(&["list"]);
    assert!(code == Some(0) && listed.is_empty() && told.contains("there is no dead letter"), "{listed}{told}");
    let (code, _, told) = dlq(&["replay", "--all"]);
    assert!(code == Some(0) && told.contains("there is no dead letter to ask again"), "{told}");

    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
    let chat = format!(r#"{{"stream_id":"ada","user_id":"u","text":"hi","timestamp":{}}}"#, now - 10_000);
    assert!(post(&url, "/v1/chat", &chat).starts_with("HTTP/1.1 202"));
    let begun = Instant::now();
    let listed = loop {
        let (code, listed, told) = dlq(&["list", "--application", "live-insight"]);
        assert_eq!(code, Some(0), "{told}");
        if !listed.is_empty() {
            break listed;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "no dead letter: {told}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(listed.starts_with("live-insight ") && listed.contains(": ada: error after 1 attempt(s)"), "{listed}");
    let id = listed.split([' ', ':']).nth(1).expect("an id");

    let (code, _, told) = dlq(&["replay", id]);
    assert!(code == Some(2) && told.contains("--application live-insight or form-coach"), "{told}");
    let one = ["replay", "--application", "live-insight", id];
    let (code, _, told) = dlq(&one);
    assert!(code == Some(0) && told.contains("1 dead letter is asked again"), "{told}");
    let (code, _, told) = dlq(&one);
    assert!(code == Some(0) && told.contains("the dead letter was asked again before"), "{told}");
    let (code, _, told) = dlq(&["replay", "--application", "live-insight", "0-99999"]);
    assert!(code == Some(1) && told.contains("there is no dead letter 0-99999"), "{told}");
    let (code, _, told) = dlq(&["replay", "--application", "live-insight", "first"]);
    assert!(code == Some(1) && told.contains("PARTITION-OFFSET"), "{told}");
    let (code, _, told) = dlq(&["list", "--application", "nothing"]);
    assert!(code == Some(1) && told.contains("there is no such application"), "{told}");
    running.stop();
}

#[test]
fn records_that_could_not_be_processed_are_listed_and_replayed_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", &data];
    Running::start(&mut tidemill(&serve)).stop();
    // The server refuses what does not decode. So another program has written it.
    let log = EmbeddedLog::open(folder.path().join("data/log")).expect("nobody uses it");
    log.append("live-chat", 0, [Entry::new("ada", "no chat", 7)]).expect("written");
    drop(log);

    let running = Running::start(&mut tidemill(&serve));
    let url = running.url.clone();
    let dlq =
        |arguments: &[&str]| ended(&[&["dlq"], arguments, &["--application", "live-insight", "--url", &url]].concat());
    let begun = Instant::now();
    let listed = loop {
        let (code, listed, told) = dlq(&["list", "--records"]);
        assert_eq!(code, Some(0), "{told}");
        if !listed.is_empty() {
            break listed;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "no dead record: {told}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(listed.contains(": ada: from live-chat/0/0, time 7, 7 bytes, operator live-chat: "), "{listed}");
    assert!(listed.contains("does not decode"), "{listed}");
    let id = listed.split([' ', ':']).nth(1).expect("an id");
    assert!(id.starts_with("live-dead-letters/"), "{listed}");
    let (_, none, told) = dlq(&["list", "--records", "--operator", "nobody"]);
    assert!(none.is_empty() && told.contains("there are no dead records that match"), "{none}{told}");
    let (_, found, _) = dlq(&["list", "--records", "--topic", "live-chat", "--key", "ada", "--from", "7", "--to", "8"]);
    assert_eq!(found, listed);

    let (code, would, told) = dlq(&["replay", "--records", "--dry-run", "--all"]);
    assert!(
        code == Some(0) && would.contains(id) && told.contains("1 dead record(s) would be replayed"),
        "{would}{told}"
    );
    let (code, _, told) = dlq(&["replay", "--records", id]);
    assert!(code == Some(0) && told.contains("1 dead record(s) went back"), "{told}");
    let (code, _, told) = dlq(&["replay", "--records", id]);
    assert!(code == Some(0) && told.contains("1 dead record(s) were replayed before"), "{told}");
    let (code, _, told) = dlq(&["replay", "--records", "live-dead-letters/0/999"]);
    assert!(code == Some(1) && told.contains("there is no dead record live-dead-letters/0/999"), "{told}");
    let (code, _, told) = dlq(&["replay", "--records", "0-1"]);
    assert!(code == Some(1) && told.contains("TOPIC/PARTITION/OFFSET"), "{told}");
    let (code, _, told) = dlq(&["replay", "--records", "--operator", "live-chat", id]);
    assert!(code == Some(2) && told.contains("use it with --all"), "{told}");
    // The replayed record still does not decode, so it is a new letter.
    let begun = Instant::now();
    loop {
        let (_, listed, told) = dlq(&["list", "--records"]);
        if listed.contains("from live-chat/0/1") {
            assert_eq!(listed.lines().count(), 1, "the replayed letter is not listed: {listed}");
            break;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "no new letter: {listed}{told}");
        std::thread::sleep(Duration::from_millis(100));
    }
    running.stop();
}

#[test]
fn a_wrong_command_and_an_absent_server_are_told_with_what_to_do() {
    let (code, _, told) = ended(&["dlq", "replay"]);
    assert!(code == Some(2) && told.contains("ids or --all"), "{told}");
    let (code, _, told) = ended(&["dlq", "replay", "--all", "0-1"]);
    assert!(code == Some(2) && told.contains("not both"), "{told}");
    let (code, _, told) = ended(&["dlq", "replay", "--dry-run", "--all"]);
    assert!(code == Some(2) && told.contains("--records"), "{told}");
    let (code, _, told) = ended(&["dlq", "list", "--data-dir", "data"]);
    assert!(code == Some(2) && told.contains("--data-dir is for the server"), "{told}");
    let (code, _, told) = ended(&["dlq", "list", "--url", "http://127.0.0.1:1"]);
    assert!(code == Some(1) && told.contains("does not answer: start the server"), "{told}");
}

#[test]
fn a_token_is_asked_for_and_taken_from_the_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("tidemill.toml");
    let tenant = "[[tenant]]\nname = \"a\"\ntoken = \"token-of-an-admin\"\nstreams = []\nusers = []\nadmin = true\n";
    std::fs::write(&config, tenant).expect("written");
    let running = Running::start(tidemill(&["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&config));
    let list = ["dlq", "list", "--url", running.url.as_str()];
    let (code, _, told) = ended(&list);
    assert!(code == Some(1) && told.contains("there is no token") && told.contains("TIDEMILL_TOKEN"), "{told}");
    let output = tidemill(&list).env("TIDEMILL_TOKEN", "token-of-an-admin").output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    running.stop();
}
