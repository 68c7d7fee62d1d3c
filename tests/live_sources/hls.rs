//! A live stream over HLS is heard by the recogniser of this machine, or its captions are read.

use std::{process::Command, sync::Arc};

use serde_json::json;
use tidemill::{Clock as _, SystemClock};
use tidemill_apps::{
    apps::live_insight,
    sources::{CaptionsWanted, Guard, RecogniserChoice, Speech, SpeechSettings, SpeechState},
};
use tidemill_hls_server::{Captions, Content, HlsServer, Line, Pace, Schedule};

use crate::{
    common::until,
    evening::{Evening, close, until_speech},
    server::WAIT,
};

const FFMPEG: (&str, &str) = ("ffmpeg", "-version");

/// Whether the programs are installed.
fn is_there(programs: &[(&str, &str)]) -> bool {
    let missing = programs.iter().find(|(program, version)| Command::new(program).arg(version).output().is_err());
    if let Some((program, _)) = missing {
        eprintln!("skipped: {program} is missing; '.ci/prerequisites' installs it");
    }
    missing.is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_heard_from_its_address_to_the_transcript() {
    if !is_there(&[FFMPEG, ("espeak-ng", "--version"), ("pocketsphinx_continuous", "-version")]) {
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
    let speech = Some(Arc::new(Speech::open(&settings, guard).expect("it can be used")));
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
    let speech = Some(Arc::new(Speech::open(&settings, Guard::default()).expect("it can be used")));
    let source = json!({ "url": "http://127.0.0.1:9/live.m3u8", "platform": "double", "wished": "running", "run": 1 });
    evening.put("ada", Some(source));
    let running = evening.start(Guard::default(), speech);
    let speech = until_speech(&running, "ada", |state| matches!(state, SpeechState::Refused { .. })).await;
    assert!(format!("{:?}", speech.state).contains("inside this network"), "{speech:?}");
    close(running).await;
}

/// Media with lines close to each other.
fn talking() -> Option<Arc<Content>> {
    if !is_there(&[FFMPEG]) {
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let texts = ["Welcome back", "What a goal", "What a goal", "goal of the year", "We are back", "Good night"];
    let line = |(index, text): (i64, &str)| Line { start_ms: 700 + index * 2_900, text: text.to_owned() };
    let lines: Vec<_> = (0..).zip(texts).map(line).collect();
    Some(Arc::new(Content::make(folder.path(), &lines, 18).expect("media")))
}

#[tokio::test(flavor = "multi_thread")]
async fn captions_of_a_stream_become_its_transcript_and_no_recogniser_is_asked() {
    let Some(content) = talking() else { return };
    for captions in [Captions::Cues, Captions::RollUp] {
        let schedule = Schedule {
            start_ms: SystemClock.now_ms() - 30_000,
            pace: Pace::ByHand,
            window: 9,
            ends_after: Some(9),
            captions,
            ..Schedule::default()
        };
        let server = HlsServer::start(content.clone(), schedule).await.expect("a server");
        let (evening, guard) = (Evening::new(), Guard { allows_private: true });
        // The streams of the network, and a recogniser that counts who asks it.
        let settings = SpeechSettings { captions: CaptionsWanted::Prefer, ..SpeechSettings::default() };
        let open = || {
            let real = Speech::open(&settings, guard).expect("it can be used");
            let Speech { recogniser, transcriber, .. } = Arc::into_inner(evening.studio.speech()).expect("mine");
            Some(Arc::new(Speech { recogniser, transcriber, ..real }))
        };
        let url = server.url("/live/master.m3u8");
        evening.put("ada", Some(json!({ "url": url, "platform": "double", "wished": "running", "run": 1 })));
        let running = evening.start(guard, open());
        until_speech(&running, "ada", |state| *state == SpeechState::Listening { captions: true }).await;
        let said = || evening.written(live_insight::TRANSCRIPT, "ada");
        until(WAIT, "the first words", async || !said().is_empty()).await;
        // Another owner goes on.
        close(running).await;
        server.advance(6);
        let running = evening.start(guard, open());
        until_speech(&running, "ada", |state| *state == SpeechState::Ended).await;
        close(running).await;

        let (said, spoken) = (said(), server.spoken(9));
        let texts: Vec<_> = said.iter().filter_map(|segment| segment["text"].as_str()).collect();
        assert_eq!(texts, spoken.iter().map(|line| line.text.as_str()).collect::<Vec<_>>());
        for (segment, line) in said.iter().zip(&spoken) {
            let start_ms = segment["timestamp"].as_i64().expect("a time");
            assert!((start_ms - line.start_ms).abs() < 100, "{segment}: {line:?}");
        }
        assert_eq!(evening.studio.sessions(), 0, "nobody pays for words that are there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_captions_and_a_recogniser_the_stream_says_why_it_has_no_words() {
    let Some(content) = talking() else { return };
    let schedule = Schedule { captions: Captions::Off, ready: 9, ends_after: Some(9), ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let (evening, guard) = (Evening::new(), Guard { allows_private: true });
    let settings = SpeechSettings { captions: CaptionsWanted::Prefer, ..SpeechSettings::default() };
    let url = server.url("/live/master.m3u8");
    evening.put("ada", Some(json!({ "url": url, "platform": "double", "wished": "running", "run": 1 })));
    let running = evening.start(guard, Some(Arc::new(Speech::open(&settings, guard).expect("it can be used"))));
    let speech = until_speech(&running, "ada", |state| matches!(state, SpeechState::Refused { .. })).await;
    let (reason, remedy) =
        ("The stream carries no captions".to_owned(), "let its speech be heard: set sources.speech".to_owned());
    assert_eq!(speech.state, SpeechState::Refused { reason, remedy });
    close(running).await;
}
