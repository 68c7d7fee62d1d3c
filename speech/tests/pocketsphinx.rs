//! Recognition on this machine. The tests of the program pass without it, after saying so.

mod support;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tidemill_speech::{
    Pocketsphinx, PocketsphinxSettings, Recogniser, SpeechError, State, Told, Transcriber, TranscriberSettings,
};

const SCRIPT: &str = "We will go to the house and open the door. There are three people in the room.";

/// Whether all programs are there.
fn have(programs: &[&str]) -> bool {
    let missing = |program: &&&str| {
        let tried = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        tried.is_err()
    };
    let missing: Vec<_> = programs.iter().filter(missing).collect();
    if !missing.is_empty() {
        eprintln!("skipped: {missing:?} are not installed; .ci/prerequisites speech installs them");
    }
    missing.is_empty()
}

/// Speech by espeak-ng, 22.05 kHz in a WAV file, as 16 kHz PCM.
fn say(text: &str) -> Vec<i16> {
    let output = Command::new("espeak-ng")
        .args(["-v", "en-us+f5", "-s", "160", "--stdout", text])
        .stdin(Stdio::null())
        .output()
        .expect("espeak-ng runs");
    let samples: Vec<i16> =
        output.stdout[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let step = 22_050.0 / 16_000.0;
    let length = (samples.len() as f64 / step) as usize;
    let sample = |at: usize| f64::from(samples[at.min(samples.len() - 1)]);
    (0..length)
        .map(|i| {
            let at = i as f64 * step;
            let share = at.fract();
            (sample(at as usize) * (1.0 - share) + sample(at as usize + 1) * share) as i16
        })
        .collect()
}

#[tokio::test]
async fn most_words_of_a_short_script_are_heard_at_their_times() {
    if !have(&["pocketsphinx_continuous", "espeak-ng"]) {
        return;
    }
    let speech = say(SCRIPT);
    let (ear, mut transcript) = Transcriber::start(
        Arc::new(Pocketsphinx::new(PocketsphinxSettings::default())),
        TranscriberSettings::default(),
    );
    let begin_ms = 1_700_000_000_000;
    let mut audio = vec![0; 3_000 * 16];
    audio.extend(&speech);
    audio.extend(vec![0; 2_000 * 16]);
    audio.extend(&speech);
    for (step, samples) in audio.chunks(1_600).enumerate() {
        ear.push(samples, begin_ms + step as i64 * 100).await.expect("it listens");
    }
    drop(ear);
    let mut words = Vec::new();
    while let Some(told) = transcript.next().await {
        match told {
            Told::Segment(segment) => words.extend(segment.words),
            Told::State(state) => assert_eq!(state, State::Listening),
            Told::LeftOut { .. } => panic!("{told:?}"),
        }
    }
    let speech_ms = speech.len() as i64 / 16;
    let twice = [begin_ms + 3_000, begin_ms + 5_000 + speech_ms];
    let said: Vec<String> = SCRIPT
        .split_whitespace()
        .map(|word| word.chars().filter(|c| c.is_alphabetic()).collect::<String>().to_lowercase())
        .collect();
    for start_ms in twice {
        let place = start_ms - 300..start_ms + speech_ms + 300;
        let heard: Vec<_> = words.iter().filter(|word| place.contains(&word.middle_ms())).collect();
        let right = said.iter().filter(|said| heard.iter().any(|word| word.text == **said)).count();
        assert!(right * 10 >= said.len() * 7, "{right} of {}: {heard:?}", said.len());
    }
    let counts = transcript.counts();
    assert!(counts.saved_ms > 2_000, "{counts:?}");
}

#[tokio::test]
async fn a_missing_program_says_what_to_install() {
    let settings = PocketsphinxSettings {
        program: Some(PathBuf::from("/nowhere/pocketsphinx")),
        ..PocketsphinxSettings::default()
    };
    let error = Pocketsphinx::new(settings).start(0, "en-US").await.expect_err("there is no such program");
    assert!(error.to_string().ends_with("apt-get install pocketsphinx pocketsphinx-en-us"), "{error}");
}

#[tokio::test]
async fn another_language_is_refused() {
    let error =
        Pocketsphinx::new(PocketsphinxSettings::default()).start(0, "de-DE").await.expect_err("it has no German");
    assert!(matches!(error, SpeechError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn a_program_that_fails_says_why() {
    if !have(&["pocketsphinx_continuous"]) {
        return;
    }
    let arguments = ["-hmm", "/nowhere"].map(str::to_owned).to_vec();
    let settings = PocketsphinxSettings { arguments, ..PocketsphinxSettings::default() };
    let mut session = Pocketsphinx::new(settings).start(0, "en-US").await.expect("a session");
    let error = session.results.recv().await.expect("a result").expect_err("there is no such model");
    let SpeechError::Refused { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("/nowhere"), "{reason}");
}
