//! What tests share: a recogniser in this process, and a stream that is pushed through a transcriber.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

pub mod recogniser;

use std::sync::Arc;

use tidemill_speech::{Counts, Limits, Recogniser, SpeechError, State, Told, Transcriber, TranscriberSettings, Word};
use tidemill_speech_server::{Script, Voice};

/// What a stream led to.
#[derive(Debug)]
pub struct Outcome {
    pub words: Vec<Word>,
    pub interims: usize,
    pub states: Vec<State>,
    pub left_out: usize,
    pub counts: Counts,
}

impl Outcome {
    pub fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// The event time of a script's beginning.
pub const BEGIN_MS: i64 = 1_700_000_000_000;

/// Pushes all of a script's audio, and waits for all words.
pub async fn transcribe(script: &Script, recogniser: Arc<dyn Recogniser>, settings: TranscriberSettings) -> Outcome {
    let (ear, mut transcript) = Transcriber::start(recogniser, settings);
    let voice = Voice::new(Arc::new(script.clone()));
    let push = tokio::spawn(async move {
        let mut voice = voice;
        let mut at_ms = BEGIN_MS;
        loop {
            let samples = voice.take_ms(100);
            if samples.is_empty() {
                return Ok::<_, SpeechError>(());
            }
            ear.push(&samples, at_ms).await?;
            at_ms += 100;
        }
    });
    let mut outcome =
        Outcome { words: Vec::new(), interims: 0, states: Vec::new(), left_out: 0, counts: Counts::default() };
    while let Some(told) = transcript.next().await {
        match told {
            Told::Segment(segment) if segment.is_final => outcome.words.extend(segment.words),
            Told::Segment(_) => outcome.interims += 1,
            Told::State(state) => outcome.states.push(state),
            Told::LeftOut { .. } => outcome.left_out += 1,
        }
    }
    outcome.counts = transcript.counts();
    let refused = outcome.states.iter().any(|state| matches!(state, State::Refused { .. }));
    // A short stream is taken whole before it is refused.
    assert!(push.await.expect("the pushing task").is_ok() || refused);
    outcome
}

/// Asserts that the words are the script's, each once, near its time.
pub fn assert_equals_script(outcome: &Outcome, script: &Script, jitter_ms: i64) {
    for (at, (heard, said)) in outcome.words.iter().zip(&script.words).enumerate() {
        let around: Vec<_> = script.words[at.saturating_sub(5)..].iter().take(10).map(|word| &word.text).collect();
        let got: Vec<_> = outcome.words[at.saturating_sub(5)..].iter().take(10).map(|word| &word.text).collect();
        let plain: String = heard.text.chars().filter(|c| c.is_alphanumeric()).collect();
        assert_eq!(plain, said.text, "word {at} at {} ms: {got:?} instead of {around:?}", said.start_ms);
        let off_ms = heard.start_ms - BEGIN_MS - said.start_ms;
        assert!(off_ms.abs() <= jitter_ms, "word {at} '{}' is {off_ms} ms off", said.text);
    }
    assert_eq!(outcome.words.len(), script.words.len());
}

/// Limits with which many seams come in a short time.
pub const SHORT: Limits = Limits {
    longest_ms: 10_000,
    pause_after_ms: 8_000,
    pause_ms: 250,
    overlap_ms: 2_000,
    sessions: 2,
    message_ms: 96,
    answer_within_ms: 5_000,
};
