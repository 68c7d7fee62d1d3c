//! Tells what a transcriber makes of the audio, and the state of what is heard.

use tidemill_speech::{State, Told, Transcript};
use tokio::sync::{Mutex, watch};

use crate::clock::millis;
use crate::sources::{
    Gate, SpeechState,
    heard::Heard,
    inbox::{Gone, Inbox},
};

/// Tells segments, and the states of audio and recogniser as one state, until the transcript ends, or without one until
/// nothing is heard any more. Returns an error if nothing more is to be told: nobody takes it, or the recogniser refuses to
/// work. `writing` is held while something that was said is being written.
pub(super) async fn run(
    mut transcript: Option<Transcript>,
    mut audio: watch::Receiver<SpeechState>,
    gate: &dyn Gate,
    inbox: &Inbox,
    writing: &Mutex<()>,
) -> Result<(), Gone> {
    let mut trouble = None;
    let mut last = SpeechState::Connecting;
    let mut is_over = false;
    loop {
        tokio::select! {
            told = next(transcript.as_mut()) => match told {
                None => return Ok(()),
                Some(Told::Segment(segment)) if segment.is_final => {
                    let _writing = writing.lock().await;
                    inbox.put(Heard::Said(segment)).await?;
                }
                Some(Told::Segment(_)) => {}
                Some(Told::LeftOut { from_ms, to_ms, reason }) => {
                    tracing::warn!(from_ms, to_ms, %reason, "speech of a stream is left out");
                    inbox.put(Heard::LeftOut).await?;
                }
                Some(Told::State(State::Listening)) => trouble = None,
                Some(Told::State(State::Waiting { wait, reason })) => {
                    let wait_ms = millis(wait);
                    let until_ms = gate.arrival().now_ms.saturating_add(wait_ms);
                    trouble = Some(SpeechState::waiting(&reason, Some(until_ms)));
                }
                Some(Told::State(State::Refused { reason, remedy })) => {
                    inbox.put(Heard::State(SpeechState::refused(&reason, &remedy))).await?;
                    return Err(Gone);
                }
            },
            changed = audio.changed(), if !is_over => {
                is_over = changed.is_err();
                if is_over && transcript.is_none() {
                    return Ok(());
                }
            }
        }
        let state = trouble.clone().unwrap_or_else(|| audio.borrow_and_update().clone());
        if state != last {
            last = state.clone();
            inbox.put(Heard::State(state)).await?;
        }
    }
}

/// What a transcript tells next; nothing without one.
async fn next(transcript: Option<&mut Transcript>) -> Option<Told> {
    match transcript {
        Some(transcript) => transcript.next().await,
        None => std::future::pending().await,
    }
}
