//! Transcriptions by requests, by a server that knows the script and fails as a seed says.

mod support;

use std::sync::Arc;

use serde_json::json;
use support::{Outcome, assert_equals_script, transcribe};
use tidemill_speech::{OpenAi, OpenAiSettings, Secret, SpeechError, State, TranscriberSettings};
use tidemill_speech_server::{Door, Faults, OpenAiServer, Script, Talk};

fn server(script: &Script) -> tidemill_speech_server::OpenAiSettings {
    tidemill_speech_server::OpenAiSettings::new(Arc::new(script.clone()))
}

fn client(server: &OpenAiServer) -> OpenAiSettings {
    OpenAiSettings::new(server.base().parse().expect("an address"), "whisper-1")
}

async fn run(script: &Script, settings: OpenAiSettings) -> Outcome {
    let recogniser = OpenAi::new(settings).expect("settings that work");
    let settings =
        TranscriberSettings { pause_ms: 5, longest_pause_ms: 40, idle_ms: 600_000, ..TranscriberSettings::default() };
    transcribe(script, Arc::new(recogniser), settings).await
}

#[tokio::test]
async fn requests_are_cut_and_joined_without_a_word_lost_or_doubled() {
    for (seed, talk) in [(1, Talk::Breathless), (2, Talk::Pausing)] {
        let script = Script::random(seed, 240_000, talk);
        let mut settings = server(&script);
        settings.faults.jitter_ms = 100;
        let server = OpenAiServer::start(settings).await.expect("a server");
        let outcome = run(&script, client(&server)).await;
        assert_equals_script(&outcome, &script, 110);
        assert!(server.requests() >= 8, "{} requests", server.requests());
        assert_eq!(outcome.states, [State::Listening]);
    }
}

#[tokio::test]
async fn silence_is_not_paid_for() {
    let script = Script::random(3, 240_000, Talk::Pausing);
    let server = OpenAiServer::start(server(&script)).await.expect("a server");
    let outcome = run(&script, client(&server)).await;
    assert_equals_script(&outcome, &script, 10);
    assert!(server.heard_ms() < 220_000, "{} ms were sent", server.heard_ms());
    assert_eq!(server.heard_ms(), outcome.counts.sent_ms);
}

#[tokio::test]
async fn failing_requests_cost_no_word() {
    for seed in 0..4 {
        let talk = if seed % 2 == 0 { Talk::Breathless } else { Talk::Pausing };
        let script = Script::random(seed, 240_000, talk);
        let mut settings = server(&script);
        settings.faults = Faults { seed, unavailable: 0.2, exhausted: 0.0, cut: 0.2, late: 0.0, jitter_ms: 100 };
        let server = OpenAiServer::start(settings).await.expect("a server");
        let outcome = run(&script, client(&server)).await;
        assert_equals_script(&outcome, &script, 110);
        assert!(outcome.counts.breaks > 0, "seed {seed}: {:?}", outcome.counts);
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_after_the_pause_that_it_asks_for() {
    let script = Script::random(4, 30_000, Talk::Pausing);
    let mut settings = server(&script);
    settings.canned =
        vec![(429, json!({ "error": { "message": "Rate limit reached", "code": "rate_limit_exceeded" } }))];
    let server = OpenAiServer::start(settings).await.expect("a server");
    let outcome = run(&script, client(&server)).await;
    assert_equals_script(&outcome, &script, 10);
    let waiting = outcome.states.iter().any(|state| match state {
        State::Waiting { wait, reason } => wait.as_millis() >= 1_000 && reason.contains("Rate limit reached"),
        _ => false,
    });
    assert!(waiting, "{:?}", outcome.states);
}

#[tokio::test]
async fn a_model_without_times_is_asked_for_text_only() {
    let script = Script::random(5, 60_000, Talk::Pausing);
    let mut settings = server(&script);
    let message =
        "response_format 'verbose_json' is not compatible with model 'gpt-4o-transcribe'. Use 'json' instead.";
    settings.canned = vec![(400, json!({ "error": { "message": message, "code": "unsupported_value" } }))];
    let server = OpenAiServer::start(settings).await.expect("a server");
    let outcome = run(&script, client(&server)).await;
    assert_eq!(outcome.text(), script.text());
}

#[tokio::test]
async fn segments_without_words_give_the_words_their_times() {
    let script = Script::random(6, 60_000, Talk::Pausing);
    let mut settings = server(&script);
    settings.words = false;
    let server = OpenAiServer::start(settings).await.expect("a server");
    let outcome = run(&script, client(&server)).await;
    let plain: String = outcome.text().chars().filter(|c| *c != '.').collect();
    assert_eq!(plain, script.text());
}

#[tokio::test]
async fn a_key_that_expires_is_read_again_and_costs_no_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    let script = Script::random(7, 120_000, Talk::Pausing);
    let mut settings = server(&script);
    settings.door = Door::Expiring { file: file.clone(), times: 3 };
    let server = OpenAiServer::start(settings).await.expect("a server");
    let mut settings = OpenAiSettings { key: Some(Secret::file(&file).into()), ..client(&server) };
    // The first request shows that the key works.
    settings.limits.sessions = 1;
    let outcome = run(&script, settings).await;
    assert_equals_script(&outcome, &script, 10);
    assert!(outcome.counts.breaks > 0, "{:?}", outcome.counts);
}

#[tokio::test]
async fn a_wrong_key_ends_it_and_is_never_shown() {
    let script = Script::random(8, 20_000, Talk::Pausing);
    let mut settings = server(&script);
    settings.door = Door::Key("right".to_owned());
    let server = OpenAiServer::start(settings).await.expect("a server");
    let settings = OpenAiSettings { key: Some(Secret::value("hunter2").into()), ..client(&server) };
    assert!(!format!("{settings:?}").contains("hunter2"));
    let outcome = run(&script, settings).await;
    let Some(State::Refused { remedy, .. }) = outcome.states.last() else { panic!("{:?}", outcome.states) };
    assert_eq!(remedy, "check the key in the setting and its rights");
    assert!(!format!("{:?}", outcome.states).contains("hunter2"));
}

#[tokio::test]
async fn audio_that_the_server_cannot_use_is_left_out_and_told() {
    let script = Script::random(9, 60_000, Talk::Pausing);
    let mut settings = server(&script);
    let message = "The audio file could not be decoded or its format is not supported.";
    settings.canned = vec![(400, json!({ "error": { "message": message, "type": "invalid_request_error" } }))];
    let server = OpenAiServer::start(settings).await.expect("a server");
    let outcome = run(&script, client(&server)).await;
    assert_eq!(outcome.left_out, 1);
    assert!(outcome.words.len() < script.words.len());
    assert_eq!(outcome.states.last(), Some(&State::Listening));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let base = format!("http://{address}/secret-path/v1").parse().expect("an address");
    let recogniser = OpenAi::new(OpenAiSettings::new(base, "whisper-1")).expect("settings that work");
    let session = tidemill_speech::Recogniser::start(&recogniser, 0, "en-US").await;
    let tidemill_speech::Session { audio, mut results } = session.expect("a session");
    audio.send(vec![0; 16_000]).await.expect("it takes audio");
    drop(audio);
    let error = results.recv().await.expect("a result").expect_err("nobody listens");
    assert!(matches!(error, SpeechError::Transient { .. }), "{error:?}");
    assert!(!error.to_string().contains("secret-path"), "{error}");
}

#[test]
fn settings_that_cannot_work_are_refused_at_once() {
    for base in ["ftp://127.0.0.1/v1", "https://user:hunter2@127.0.0.1/v1"] {
        let error = OpenAi::new(OpenAiSettings::new(base.parse().expect("an address"), "whisper-1")).expect_err(base);
        assert!(matches!(error, SpeechError::Refused { .. }));
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
