//! A stream through the transcriber: words equal the script, whatever breaks.

mod support;

use std::time::Duration;

use std::sync::Arc;
use support::recogniser::InProcess;
use support::{SHORT, assert_equals_script, transcribe};
use tidemill_speech::{Recogniser, SpeechError, State, Transcriber, TranscriberSettings};
use tidemill_speech_server::{Script, Talk};

fn transient() -> SpeechError {
    SpeechError::Transient { reason: "the service is away".to_owned(), retry_after: None }
}

#[tokio::test(start_paused = true)]
async fn pauses_are_not_sent_and_no_word_is_cut() {
    let script = Script::random(11, 120_000, Talk::Pausing);
    let outcome =
        transcribe(&script, InProcess::new(&script, SHORT, 0, |_, _| None), TranscriberSettings::default()).await;
    assert_equals_script(&outcome, &script, 20);
    let counts = outcome.counts;
    assert!(counts.saved_ms > 20_000, "{counts:?}");
    assert!(counts.heard_ms - counts.saved_ms <= counts.sent_ms, "{counts:?}");
    assert_eq!(counts.words, script.words.len() as u64);
    assert_eq!(outcome.states, [State::Listening]);
}

#[tokio::test(start_paused = true)]
async fn speech_without_pauses_is_joined_at_each_seam() {
    for seed in 0..4 {
        let script = Script::random(seed, 120_000, Talk::Breathless);
        let recogniser = InProcess::new(&script, SHORT, 120, |_, _| None);
        let outcome = transcribe(&script, recogniser, TranscriberSettings::default()).await;
        assert_equals_script(&outcome, &script, 130);
        assert!(outcome.counts.renewals >= 10, "{:?}", outcome.counts);
        assert!(outcome.counts.seams >= 10, "{:?}", outcome.counts);
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_that_break_cost_no_word() {
    let script = Script::random(5, 120_000, Talk::Breathless);
    let breaks = |number, heard_ms| match number % 4 {
        1 if heard_ms >= 4_700 => Some(transient()),
        2 => Some(transient()),
        3 if heard_ms >= 7_000 => Some(SpeechError::SessionOver { reason: "too long".to_owned() }),
        _ => None,
    };
    let outcome =
        transcribe(&script, InProcess::new(&script, SHORT, 120, breaks), TranscriberSettings::default()).await;
    assert_equals_script(&outcome, &script, 130);
    assert!(outcome.counts.breaks > 10, "{:?}", outcome.counts);
    assert!(outcome.states.iter().any(|state| matches!(state, State::Waiting { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_minutes_costs_no_word() {
    let script = Script::random(6, 90_000, Talk::Pausing);
    let breaks = |number, _| (3..20).contains(&number).then(transient);
    let outcome = transcribe(&script, InProcess::new(&script, SHORT, 0, breaks), TranscriberSettings::default()).await;
    assert_equals_script(&outcome, &script, 20);
    assert_eq!(outcome.states.last(), Some(&State::Listening));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_it_and_says_what_to_do() {
    let script = Script::random(7, 60_000, Talk::Pausing);
    let refused =
        || SpeechError::Refused { reason: "the key is wrong".to_owned(), remedy: "set another key".to_owned() };
    let breaks = |number, _| {
        (number == 1).then(|| SpeechError::Refused {
            reason: "the key is wrong".to_owned(),
            remedy: "set another key".to_owned(),
        })
    };
    let recogniser = InProcess::new(&script, SHORT, 0, breaks);
    let outcome = transcribe(&script, recogniser, TranscriberSettings::default()).await;
    let told = State::Refused { reason: "the key is wrong".to_owned(), remedy: "set another key".to_owned() };
    assert_eq!(outcome.states.last(), Some(&told));
    assert_eq!(refused().to_string(), "the key is wrong: set another key");
}

#[tokio::test(start_paused = true)]
async fn audio_that_cannot_be_used_is_left_out_and_told() {
    let script = Script::random(8, 60_000, Talk::Pausing);
    let breaks = |number, heard_ms| {
        (number == 1 && heard_ms > 2_000).then(|| SpeechError::Unusable { reason: "no audio".to_owned() })
    };
    let outcome = transcribe(&script, InProcess::new(&script, SHORT, 0, breaks), TranscriberSettings::default()).await;
    assert_eq!(outcome.left_out, 1);
    assert!(outcome.counts.unusable_ms > 1_000);
    let lost = script.words.len() - outcome.words.len();
    assert!((1..30).contains(&lost), "{lost} words are lost");
}

#[tokio::test(start_paused = true)]
async fn while_the_recogniser_is_away_the_ear_waits() {
    let script = Script::random(9, 60_000, Talk::Breathless);
    let recogniser: Arc<dyn Recogniser> = InProcess::new(&script, SHORT, 0, |_, _| Some(transient()));
    let settings = TranscriberSettings { buffer_ms: 0, ..TranscriberSettings::default() };
    let (ear, mut transcript) = Transcriber::start(recogniser, settings);
    let reader = tokio::spawn(async move { while transcript.next().await.is_some() {} });
    let mut voice = tidemill_speech_server::Voice::new(Arc::new(script));
    let mut taken_ms = 0;
    loop {
        let samples = voice.take_ms(100);
        match tokio::time::timeout(Duration::from_secs(600), ear.push(&samples, taken_ms)).await {
            Ok(pushed) => pushed.expect("it goes on"),
            Err(_) => break,
        }
        taken_ms += 100;
        assert!(taken_ms < 40_000, "the memory for audio has no bound");
    }
    assert!(taken_ms >= 20_000, "only {taken_ms} ms were taken");
    drop(ear);
    reader.abort();
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_is_longer_than_the_memory_for_audio_cuts_no_word() {
    let script = Script::random(12, 90_000, Talk::Breathless);
    let breaks = |number, _| (2..12).contains(&number).then(transient);
    let settings = TranscriberSettings { buffer_ms: 0, pause_ms: 30_000, ..TranscriberSettings::default() };
    let outcome = transcribe(&script, InProcess::new(&script, SHORT, 0, breaks), settings).await;
    assert_equals_script(&outcome, &script, 20);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_stalls_in_the_middle_of_words_doubles_and_loses_none() {
    let script = Script::random(13, 60_000, Talk::Breathless);
    let recogniser = InProcess::new(&script, SHORT, 0, |_, _| None);
    let (ear, mut transcript) = Transcriber::start(recogniser, TranscriberSettings::default());
    let mut voice = tidemill_speech_server::Voice::new(Arc::new(script.clone()));
    let push = tokio::spawn(async move {
        for step in 0..60 {
            ear.push(&voice.take_ms(1_000), step * 1_000).await.expect("it is taken");
            if step % 7 == 6 {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        }
    });
    let mut words = Vec::new();
    while let Some(told) = transcript.next().await {
        if let tidemill_speech::Told::Segment(segment) = told {
            words.extend(segment.words);
        }
    }
    push.await.expect("all is pushed");
    // A word that the stall cut is heard again, whole.
    let texts = |words: &[tidemill_speech::Word]| words.iter().map(|word| word.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&words), script.words.iter().map(|word| word.text.clone()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_was_heard_is_told_when_no_audio_follows() {
    let script = Script::random(10, 8_000, Talk::Breathless);
    let recogniser = InProcess::new(&script, SHORT, 0, |_, _| None);
    let (ear, mut transcript) = Transcriber::start(recogniser, TranscriberSettings::default());
    let mut voice = tidemill_speech_server::Voice::new(Arc::new(script.clone()));
    ear.push(&voice.take_ms(5_000), 0).await.expect("it is taken");
    let mut words = 0;
    // The ear stays open: the stream may go on.
    while let Ok(Some(told)) = tokio::time::timeout(Duration::from_secs(60), transcript.next()).await {
        if let tidemill_speech::Told::Segment(segment) = told {
            words += segment.words.len();
        }
    }
    let said = script.words.iter().filter(|word| word.end_ms <= 4_900).count();
    assert!(words >= said, "{words} of {said} words");
    drop(ear);
}
