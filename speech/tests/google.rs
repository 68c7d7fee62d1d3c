//! Google's stream, by a server that ends sessions as Google does and breaks them as a seed says.

mod support;

use std::sync::Arc;

use support::{Outcome, assert_equals_script, transcribe};
use tidemill_speech::{Google, GoogleSettings, Secret, SpeechError, State, TranscriberSettings};
use tidemill_speech_server::{Door, Faults, GoogleServer, Script, Talk};

/// Time runs twenty times as fast: Google ends a stream after 15.25 s of audio.
const SCALE: f64 = 20.0;

fn server(script: &Script) -> tidemill_speech_server::GoogleSettings {
    tidemill_speech_server::GoogleSettings::new(Arc::new(script.clone())).scaled(SCALE)
}

fn client(server: &GoogleServer, token: Secret) -> GoogleSettings {
    let mut settings = GoogleSettings::new("shop-1", token);
    settings.address = Some(server.address());
    settings.fastest = 1e9;
    settings.limits.longest_ms = 14_400;
    settings.limits.pause_after_ms = 12_000;
    settings.limits.overlap_ms = 3_000;
    settings
}

fn impatient() -> TranscriberSettings {
    TranscriberSettings { pause_ms: 5, longest_pause_ms: 40, idle_ms: 600_000, ..TranscriberSettings::default() }
}

async fn run(script: &Script, settings: GoogleSettings) -> Outcome {
    let recogniser = Google::new(settings).expect("settings that work");
    transcribe(script, Arc::new(recogniser), impatient()).await
}

#[tokio::test]
async fn streams_are_renewed_before_they_are_ended_and_no_word_is_lost_or_doubled() {
    for (seed, talk) in [(1, Talk::Breathless), (2, Talk::Pausing)] {
        let script = Script::random(seed, 180_000, talk);
        let mut settings = server(&script);
        settings.faults.jitter_ms = 100;
        let server = GoogleServer::start(settings).await.expect("a server");
        let outcome = run(&script, client(&server, Secret::value("token"))).await;
        assert_equals_script(&outcome, &script, 110);
        assert_eq!((server.ended(), server.broken()), (0, 0));
        assert!(server.sessions() >= 10, "{} sessions", server.sessions());
        assert!(outcome.interims > 0);
        assert_eq!(outcome.states, [State::Listening]);
    }
}

#[tokio::test]
async fn the_defaults_renew_streams_before_five_minutes() {
    let script = Script::random(6, 640_000, Talk::Breathless);
    let settings = tidemill_speech_server::GoogleSettings::new(Arc::new(script.clone()));
    let server = GoogleServer::start(settings).await.expect("a server");
    let mut settings = GoogleSettings::new("shop-1", Secret::value("token"));
    settings.address = Some(server.address());
    settings.fastest = 1e9;
    let outcome = run(&script, settings).await;
    assert_equals_script(&outcome, &script, 10);
    assert_eq!((server.ended(), server.sessions()), (0, 3));
    assert_eq!(outcome.counts.seams, 2);
}

#[tokio::test]
async fn streams_that_google_ends_cost_no_word() {
    let script = Script::random(3, 120_000, Talk::Breathless);
    let server = GoogleServer::start(server(&script)).await.expect("a server");
    let mut settings = client(&server, Secret::value("token"));
    settings.limits.longest_ms = 40_000;
    settings.limits.pause_after_ms = 40_000;
    let outcome = run(&script, settings).await;
    assert_equals_script(&outcome, &script, 10);
    assert!(server.ended() >= 3, "{} streams were ended", server.ended());
}

#[tokio::test]
async fn faults_of_all_kinds_cost_no_word() {
    for seed in 0..6 {
        let talk = if seed % 2 == 0 { Talk::Breathless } else { Talk::Pausing };
        let script = Script::random(seed, 150_000, talk);
        let mut settings = server(&script);
        settings.faults = Faults { seed, unavailable: 0.15, exhausted: 0.1, cut: 0.4, late: 0.3, jitter_ms: 100 };
        let server = GoogleServer::start(settings).await.expect("a server");
        let outcome = run(&script, client(&server, Secret::value("token"))).await;
        assert_equals_script(&outcome, &script, 110);
        assert!(server.broken() >= 3, "seed {seed}: {} streams were broken", server.broken());
    }
}

#[tokio::test]
async fn a_token_that_expires_is_read_again_and_costs_no_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    let script = Script::random(4, 150_000, Talk::Pausing);
    let mut settings = server(&script);
    settings.door = Door::Expiring { file: file.clone(), times: 3 };
    let server = GoogleServer::start(settings).await.expect("a server");
    let mut settings = client(&server, Secret::file(&file));
    // The first stream shows that the token works.
    settings.limits.sessions = 1;
    let outcome = run(&script, settings).await;
    assert_equals_script(&outcome, &script, 10);
    assert!(server.refused() >= 2, "{} tokens expired", server.refused());
}

#[tokio::test]
async fn a_wrong_token_ends_it_and_is_never_shown() {
    let script = Script::random(5, 20_000, Talk::Pausing);
    let mut settings = server(&script);
    settings.door = Door::Key("right".to_owned());
    let server = GoogleServer::start(settings).await.expect("a server");
    let settings = client(&server, Secret::value("hunter2"));
    assert!(!format!("{settings:?}").contains("hunter2"));
    let outcome = run(&script, settings).await;
    let Some(State::Refused { reason, remedy }) = outcome.states.last() else { panic!("{:?}", outcome.states) };
    assert_eq!(reason, "Google Speech-to-Text does not take the token");
    assert_eq!(remedy, "put a new access token into the setting");
    assert_eq!(outcome.words, []);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    let mut settings = GoogleSettings::new("shop-1", Secret::value("token"));
    settings.address = Some("not an address".to_owned());
    assert!(matches!(Google::new(settings), Err(SpeechError::Refused { .. })));
}
