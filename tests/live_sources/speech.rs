//! What is said in a stream is written once, beside its chat, whatever stops and starts in between.

use std::sync::atomic::Ordering;

use serde_json::json;
use tidemill_apps::{
    apps::live_insight,
    sources::{ChatState, Guard, SpeechState},
};
use tidemill_media::MediaError;

use crate::{
    common::until,
    evening::{Evening, close, speech_of, until_speech},
    server::WAIT,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_written_with_its_times_until_the_stream_ends() {
    let evening = Evening::new();
    evening.run("ada");
    evening.studio.says("ada", 5);
    evening.chat.says("ada", 3);
    let running = evening.open();
    evening.until_said("ada", 5).await;
    until(WAIT, "the chat", async || evening.written(live_insight::CHAT, "ada").len() == 3).await;
    until_speech(&running, "ada", |state| *state == SpeechState::Listening { captions: false }).await;
    evening.studio.fails("ada", MediaError::Ended);
    let speech = until_speech(&running, "ada", |state| *state == SpeechState::Ended).await;
    assert_eq!((speech.segments, speech.position_ms), (5, Some(evening.studio.at(4) + 500)));
    let said = evening.written(live_insight::TRANSCRIPT, "ada");
    let of = |second: i64| {
        let timestamp = evening.studio.at(second);
        json!({ "stream_id": "ada", "text": second.to_string(), "timestamp": timestamp, "duration_ms": 500 })
    };
    assert_eq!(said, (0..5).map(of).collect::<Vec<_>>());
    assert_eq!(evening.studio.running(), 0, "what is over runs no more");
    close(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn captions_are_written_in_the_place_of_speech_where_a_stream_carries_them() {
    let evening = Evening::new();
    for (id, options) in [("ada", json!({})), ("eve", json!({ "captions": "off" })), ("ida", json!({}))] {
        evening.wish(id, "running", 1, &options);
        evening.studio.says(id, 5);
    }
    evening.studio.captions("ada");
    evening.studio.captions("eve");
    let running = evening.open();
    for (id, captions) in [("ada", true), ("eve", false), ("ida", false)] {
        evening.until_said(id, 5).await;
        until_speech(&running, id, |state| *state == SpeechState::Listening { captions }).await;
        assert_eq!(evening.words(id), (0..5).collect::<Vec<_>>(), "{id}");
    }
    assert_eq!(evening.studio.sessions(), 2, "captions need no recogniser");
    close(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_bring_each_word_once() {
    let evening = Evening::new();
    evening.run("ada");
    for round in 1..6 {
        evening.studio.says("ada", 20);
        let running = evening.open();
        // It stops somewhere in the middle.
        evening.until_said("ada", round * 20 - 13).await;
        close(running).await;
        until(WAIT, "the audio stops", async || evening.studio.running() == 0).await;
    }
    let running = evening.open();
    evening.until_said("ada", 100).await;
    assert_eq!(evening.words("ada"), (0..100).collect::<Vec<_>>());
    close(running).await;
    let opened = evening.studio.opened();
    assert!(opened.iter().all(|opening| opening.origin_ms == opened[0].origin_ms), "a recording keeps its times");
    assert!(opened.windows(2).all(|two| two[0].after_ms <= two[1].after_ms), "{opened:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_owner_goes_on_after_the_last_word() {
    let evening = Evening::new();
    let streams: Vec<_> = (0..6).map(|number| format!("s{number}")).collect();
    let first = evening.open();
    for id in &streams {
        evening.run(id);
        evening.studio.says(id, 20);
    }
    let second = evening.open();
    for id in &streams {
        evening.until_said(id, 20).await;
        evening.studio.says(id, 20);
    }
    close(first).await;
    for id in &streams {
        evening.until_said(id, 40).await;
        assert_eq!(evening.words(id), (0..40).collect::<Vec<_>>(), "{id}");
    }
    close(second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_and_an_erasure_stop_the_audio() {
    let evening = Evening::new();
    evening.run("ada");
    evening.studio.says("ada", 3);
    let running = evening.open();
    evening.until_said("ada", 3).await;
    evening.wish("ada", "paused", 1, &json!({}));
    until(WAIT, "the audio stops", async || evening.studio.running() == 0).await;
    evening.studio.says("ada", 3);
    evening.wish("ada", "running", 2, &json!({}));
    evening.until_said("ada", 6).await;
    assert_eq!(evening.words("ada"), (0..6).collect::<Vec<_>>());
    evening.put("ada", None);
    until(WAIT, "the stream is forgotten", async || {
        evening.studio.running() == 0 && !running.view().has_progress("ada")
    })
    .await;
    evening.studio.says("ada", 3);
    close(running).await;
    assert_eq!(evening.words("ada").len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_cannot_be_heard_still_has_its_chat() {
    let evening = Evening::new();
    let (reason, remedy) = ("It is private.".to_owned(), "Log in.".to_owned());
    evening.studio.fails("ada", MediaError::Refused { reason, remedy });
    evening.run("ada");
    evening.wish("eve", "running", 1, &json!({ "media": "nowhere" }));
    evening.wish("ida", "running", 1, &json!({ "speech": false }));
    let running = evening.open();
    let refused = until_speech(&running, "ada", |state| matches!(state, SpeechState::Refused { .. })).await;
    let expected = SpeechState::Refused { reason: "It is private".to_owned(), remedy: "Log in".to_owned() };
    assert_eq!(refused.state, expected);
    until_speech(&running, "eve", |state| matches!(state, SpeechState::Refused { .. })).await;
    for id in ["ada", "eve", "ida"] {
        evening.chat.says(id, 10);
        until(WAIT, "the chat", async || evening.written(live_insight::CHAT, id).len() == 10).await;
    }
    assert_eq!(speech_of(&running, "ida"), None);
    close(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recogniser_that_refuses_says_what_to_do_and_a_person_starts_it_again() {
    let evening = Evening::new();
    evening.studio.refuse(true);
    evening.run("ada");
    evening.studio.says("ada", 3);
    evening.chat.says("ada", 3);
    let running = evening.open();
    let speech = until_speech(&running, "ada", |state| matches!(state, SpeechState::Refused { .. })).await;
    assert!(format!("{:?}", speech.state).contains("set another key"), "{speech:?}");
    until(WAIT, "the audio stops", async || evening.studio.running() == 0).await;
    until(WAIT, "the chat", async || evening.written(live_insight::CHAT, "ada").len() == 3).await;
    evening.studio.refuse(false);
    evening.wish("ada", "running", 2, &json!({}));
    evening.until_said("ada", 3).await;
    assert_eq!(evening.words("ada"), [0, 1, 2]);
    close(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_ends_without_the_speech() {
    let evening = Evening::new();
    evening.run("ada");
    let running = evening.open();
    evening.chat.says("ada", 1);
    evening.chat.end("ada");
    let has_ended = || running.view().get("ada").and_then(|seen| seen.progress).map(|progress| progress.chat);
    until(WAIT, "the chat ends", async || has_ended() == Some(ChatState::Ended)).await;
    evening.studio.says("ada", 3);
    evening.until_said("ada", 3).await;
    // An owner that comes later reads the chat no more, but hears on.
    close(running).await;
    evening.studio.says("ada", 3);
    let running = evening.open();
    evening.until_said("ada", 6).await;
    assert_eq!(evening.chat.connections(), 0);
    close(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_waits_while_the_log_cannot_take_more() {
    let evening = Evening::new();
    evening.door.0.store(false, Ordering::SeqCst);
    evening.run("ada");
    evening.studio.says("ada", 600);
    let running = evening.open();
    until(WAIT, "some audio is taken", async || evening.studio.given() > 10).await;
    let mut given = 0;
    until(WAIT, "no more is taken", async || {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        given == std::mem::replace(&mut given, evening.studio.given())
    })
    .await;
    assert!(given < 300, "{given} seconds were taken");
    assert!(evening.words("ada").is_empty());
    evening.door.0.store(true, Ordering::SeqCst);
    evening.until_said("ada", 600).await;
    assert_eq!(evening.words("ada"), (0..600).collect::<Vec<_>>());
    close(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_inside_the_network_is_not_opened() {
    let evening = Evening::new();
    evening.wish("ada", "running", 1, &json!({ "media": "http://127.0.0.1/ada" }));
    evening.studio.says("ada", 3);
    let running = evening.start(Guard::default(), Some(evening.studio.speech()));
    let speech = until_speech(&running, "ada", |state| matches!(state, SpeechState::Refused { .. })).await;
    assert!(format!("{:?}", speech.state).contains("inside this network"), "{speech:?}");
    assert!(evening.studio.opened().is_empty());
    close(running).await;
}
