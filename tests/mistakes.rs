//! Mistakes of whoever runs the binary: each is told at the start, with what to do, and nothing is lost by it.

mod common;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use common::Running;

fn tidemill(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The exit code of a command that ends by itself, and what it says.
fn ended(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("the binary runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn serve(folder: &Path) -> Command {
    let mut command = tidemill(&["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(folder);
    command
}

fn reset(folder: &Path) -> Command {
    let mut command = tidemill(&["reset", "--yes", "--data-dir"]);
    command.arg(folder);
    command
}

/// A folder on which a server ran.
fn used() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    Running::start(&mut serve(folder.path())).stop();
    folder
}

#[test]
fn settings_that_would_do_nothing_exit_with_2_and_are_told_together() {
    let (code, told) = ended(&mut tidemill(&[
        "serve",
        "--set=live.window=0s",
        "--set=server.cors=*",
        "--set=limits.lag_records=0",
        "--set=pages.mediapipe_dir=/nope",
    ]));
    assert_eq!(code, Some(2), "{told}");
    for part in ["4 problem(s)", "'live.window'", "server.cors", "'limits.lag_records'", "/nope"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(ended(&mut tidemill(&["describe", "--set=live.window=0s"])).0, Some(2));
}

#[test]
fn a_plan_says_for_ever_instead_of_a_number_that_nobody_reads() {
    let output = tidemill(&["describe", "live-insight"]).output().expect("the binary runs");
    let plan = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(plan.contains("window, retention for ever") && plan.contains("window, retention 62000 ms"), "{plan}");
    assert!(!plan.contains("576460752303423487"), "{plan}");
}

#[test]
fn a_damaged_log_is_told_and_can_be_reset() {
    let folder = used();
    fs::write(folder.path().join("log/CURRENT"), "MANIFEST-nonsense\n").expect("written");
    let (code, told) = ended(&mut serve(folder.path()));
    assert!(code != Some(0) && told.contains("damaged") && told.contains("tidemill reset"), "{told}");
    let (code, told) = ended(&mut reset(folder.path()));
    assert_eq!(code, Some(0), "{told}");
    assert!(!folder.path().join("log").exists() && !folder.path().join("state").exists());
    Running::start(&mut serve(folder.path())).stop();
}

#[test]
fn a_changed_window_is_told_with_both_ways_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&mut serve(folder.path()));
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
    let chat = |timestamp: u128| format!(r#"{{"stream_id":"ada","user_id":"u","text":"hi","timestamp":{timestamp}}}"#);
    let body = format!("[{},{}]", chat(now - 600_000), chat(now));
    let sent = ask(&running.url, &format!("POST /v1/chat HTTP/1.1\r\ncontent-length: {}", body.len()), &body);
    assert!(sent.starts_with("HTTP/1.1 202"), "{sent}");
    // A stream with an insight has rows in its stores.
    while !ask(&running.url, "GET /v1/streams HTTP/1.1", "").contains("ada") {
        std::thread::sleep(Duration::from_millis(50));
    }
    running.stop();
    let (code, told) = ended(serve(folder.path()).arg("--set=live.window=30s"));
    let reset = format!("`tidemill reset --data-dir {} --yes`", folder.path().display());
    assert!(code == Some(1) && told.trim_end().ends_with(&reset), "{told}");
    assert!(told.contains("if live.window, coach.window or coach.windows was changed, set it back"), "{told}");
    Running::start(&mut serve(folder.path())).stop();
}

#[test]
fn windows_that_end_otherwise_are_told_with_both_ways_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&mut serve(folder.path()));
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis()).expect("soon");
    let recorded =
        include_str!("../src/apps/form_coach/recordings/squats_clean.ndjson").lines().next().expect("a frame");
    let frame = |timestamp: i64| {
        let mut frame: serde_json::Value = serde_json::from_str(recorded).expect("JSON");
        (frame["user_id"], frame["timestamp"]) = ("eve".into(), timestamp.into());
        frame
    };
    let body = serde_json::json!([frame(now - 20_000), frame(now)]).to_string();
    let sent = ask(&running.url, &format!("POST /v1/pose HTTP/1.1\r\ncontent-length: {}", body.len()), &body);
    assert!(sent.starts_with("HTTP/1.1 202"), "{sent}");
    while !ask(&running.url, "GET /v1/users HTTP/1.1", "").contains("eve") {
        std::thread::sleep(Duration::from_millis(50));
    }
    running.stop();
    let (code, told) = ended(serve(folder.path()).arg("--set=coach.windows=repetition"));
    assert!(code == Some(1) && told.contains("coach.windows was changed, set it back"), "{told}");
    Running::start(&mut serve(folder.path())).stop();
}

/// The answer to a request of JSON.
fn ask(url: &str, head: &str, body: &str) -> String {
    let mut server = TcpStream::connect(url.trim_start_matches("http://")).expect("it listens");
    let headers = "host: localhost\r\ncontent-type: application/json\r\nconnection: close";
    server.write_all(format!("{head}\r\n{headers}\r\n\r\n{body}").as_bytes()).expect("sent");
    let mut answer = String::new();
    server.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn a_server_takes_over_the_folder_of_a_demo_and_a_later_demo_refuses_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = || {
        let mut demo = tidemill(&["demo", "--listen", "127.0.0.1:0", "--speed", "60", "--data-dir"]);
        demo.arg(folder.path());
        demo
    };
    let running = Running::start(&mut demo());
    while !ask(&running.url, "GET /v1/streams HTTP/1.1", "").contains("thursday-speedrun") {
        std::thread::sleep(Duration::from_millis(50));
    }
    running.stop();
    let running = Running::start(&mut serve(folder.path()));
    let streams = ask(&running.url, "GET /v1/streams HTTP/1.1", "");
    assert!(streams.contains("thursday-speedrun"), "{streams}");
    running.stop();
    let (code, told) = ended(&mut demo());
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("holds data of a server") && told.contains("tidemill reset --data-dir"), "{told}");
    assert_eq!(ended(&mut reset(folder.path())).0, Some(0));
    Running::start(&mut demo()).stop();
}

#[test]
fn a_file_is_no_data_folder_and_nothing_is_deleted_where_nothing_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "mine").expect("written");
    let (code, told) = ended(&mut serve(&file));
    assert!(code == Some(2) && told.contains("is a file: name a folder"), "{told}");
    let (code, told) = ended(&mut reset(&folder.path().join("nowhere")));
    assert!(code == Some(2) && told.contains("nowhere holds nothing"), "{told}");
    let used = used();
    assert_eq!(ended(&mut reset(used.path())).0, Some(0));
    let (code, told) = ended(&mut reset(used.path()));
    assert!(code == Some(0) && told.contains("there is nothing to delete"), "{told}");
}

#[test]
fn state_without_its_log_is_refused_and_stays() {
    let folder = used();
    fs::remove_dir_all(folder.path().join("log")).expect("deleted");
    let (code, told) = ended(&mut serve(folder.path()));
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("holds state, but no log") && told.contains("tidemill reset"), "{told}");
    assert!(folder.path().join("state/live-insight").exists() && !folder.path().join("log").exists());
    assert_eq!(ended(&mut reset(folder.path())).0, Some(0));
    Running::start(&mut serve(folder.path())).stop();
}

#[test]
fn a_link_in_a_data_folder_is_not_reset() {
    let (folder, elsewhere) = (used(), tempfile::tempdir().expect("a folder"));
    let (log, target) = (folder.path().join("log"), elsewhere.path().join("log"));
    fs::rename(&log, &target).expect("moved");
    std::os::unix::fs::symlink(&target, &log).expect("linked");
    let (code, told) = ended(&mut reset(folder.path()));
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("nothing was deleted") && told.contains("is a link"), "{told}");
    assert!(target.join("CURRENT").exists() && folder.path().join("state").exists());
}

#[test]
fn a_folder_in_use_is_not_reset() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&mut serve(folder.path()));
    let (code, told) = ended(&mut reset(folder.path()));
    assert!(code == Some(1) && told.contains("nothing was deleted: a server may be running"), "{told}");
    running.stop();
}

#[test]
fn two_signals_close_together_let_the_work_be_committed() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = Running::start(&mut serve(folder.path())).stop_twice();
    // Neither the signal itself nor a hurried end, which exits with 130.
    assert!(ended.code().is_some_and(|code| code != 130), "{ended}");
}

#[test]
fn an_empty_data_folder_takes_little_of_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Running::start(&mut serve(folder.path()));
    let taken = Command::new("du").arg("-sk").arg(folder.path()).output().expect("du runs");
    let taken = String::from_utf8_lossy(&taken.stdout).into_owned();
    let kib: u64 = taken.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number");
    assert!(kib < 10 << 10, "{kib} KiB");
    running.stop();
}
