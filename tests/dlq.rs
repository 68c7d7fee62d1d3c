//! Calls without an answer, from the command line: listed and asked again, and what is told to whoever errs.

mod common;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use common::Running;

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
fn a_wrong_command_and_an_absent_server_are_told_with_what_to_do() {
    let (code, _, told) = ended(&["dlq", "replay"]);
    assert!(code == Some(2) && told.contains("ids or --all"), "{told}");
    let (code, _, told) = ended(&["dlq", "replay", "--all", "0-1"]);
    assert!(code == Some(2) && told.contains("not both"), "{told}");
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
