//! A live stream over HLS is heard by the recogniser of this machine.

use std::{process::Command, sync::Arc};

use serde_json::json;
use tidemill::{Clock as _, SystemClock};
use tidemill_apps::{
    apps::live_insight,
    sources::{Guard, RecogniserChoice, Speech, SpeechSettings, SpeechState},
};
use tidemill_hls_server::{Content, HlsServer, Line, Schedule};

use crate::evening::{Evening, close, until_speech};

/// Whether the programs are installed.
fn is_there() -> bool {
    let programs = [("ffmpeg", "-version"), ("espeak-ng", "--version"), ("pocketsphinx_continuous", "-version")];
    let missing = programs.into_iter().find(|(program, version)| Command::new(program).arg(version).output().is_err());
    if let Some((program, _)) = missing {
        eprintln!("skipped: {program} is missing; '.ci/prerequisites' installs it");
    }
    missing.is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_heard_from_its_address_to_the_transcript() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let line = |second: i64, text: &str| Line { start_ms: second * 1_000, text: text.to_owned() };
    let lines = [line(1, "Welcome back everyone"), line(9, "What a goal")];
    let content = Content::make(folder.path(), &lines, 16).expect("media");
    let start_ms = SystemClock.now_ms() - 20_000;
    let schedule = Schedule { start_ms, ready: 8, ends_after: Some(8), ..Schedule::default() };
    let server = HlsServer::start(Arc::new(content), schedule).await.expect("a server");

    let (evening, guard) = (Evening::new(), Guard { allows_private: true });
    let settings = SpeechSettings { recogniser: RecogniserChoice::Pocketsphinx, ..SpeechSettings::default() };
    let speech = Speech::open(&settings, guard).expect("it can be used").map(Arc::new);
    let url = server.url("/live/master.m3u8");
    evening.put("ada", Some(json!({ "url": url, "platform": "double", "wished": "running", "run": 1 })));
    let running = evening.start(guard, speech);
    let heard = until_speech(&running, "ada", |state| *state == SpeechState::Ended).await;
    close(running).await;

    let said = evening.written(live_insight::TRANSCRIPT, "ada");
    assert!(heard.segments >= 2, "{said:?}");
    let is_within = |ms: &i64| (start_ms + 500..start_ms + 17_000).contains(ms);
    assert!(said.iter().all(|segment| segment["timestamp"].as_i64().as_ref().is_some_and(is_within)), "{said:?}");
    // Which words this recogniser hears differs from voice to voice.
    let words = said.iter().filter_map(|segment| segment["text"].as_str()).flat_map(str::split_whitespace).count();
    assert!(words >= 3, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_on_this_machine_is_not_heard_unless_that_is_allowed() {
    let evening = Evening::new();
    let settings = SpeechSettings { recogniser: RecogniserChoice::Pocketsphinx, ..SpeechSettings::default() };
    let speech = Speech::open(&settings, Guard::default()).expect("it can be used").map(Arc::new);
    let source = json!({ "url": "http://127.0.0.1:9/live.m3u8", "platform": "double", "wished": "running", "run": 1 });
    evening.put("ada", Some(source));
    let running = evening.start(Guard::default(), speech);
    let speech = until_speech(&running, "ada", |state| matches!(state, SpeechState::Refused { .. })).await;
    assert!(format!("{:?}", speech.state).contains("inside this network"), "{speech:?}");
    close(running).await;
}
