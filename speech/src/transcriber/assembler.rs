//! The pieces' words in order of time, without seams.

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use super::piece::{Event, Follows, Place};
use super::told::{State, Told};
use crate::counters::Counters;
use crate::seam::Joiner;
use crate::segment::segments_of;
use crate::{Segment, SpeechError, Word};

/// Reads one piece after the other.
pub(super) struct Assembler {
    tell: mpsc::Sender<Told>,
    counters: Arc<Counters>,
    refused: Arc<OnceLock<SpeechError>>,
    joiner: Joiner,
    state: Option<State>,
}

/// Nobody reads the transcript any more, or nothing more comes.
struct Over;

impl Assembler {
    pub(super) fn new(tell: mpsc::Sender<Told>, counters: Arc<Counters>, refused: Arc<OnceLock<SpeechError>>) -> Self {
        Self { tell, counters, refused, joiner: Joiner::new(), state: None }
    }

    pub(super) async fn run(mut self, mut pieces: mpsc::UnboundedReceiver<Place>) {
        // It does not matter why it is over.
        let _: Result<(), Over> = self.assemble(&mut pieces).await;
    }

    async fn assemble(&mut self, pieces: &mut mpsc::UnboundedReceiver<Place>) -> Result<(), Over> {
        loop {
            let next = tokio::select! {
                next = pieces.recv() => next,
                () = self.tell.closed() => return Err(Over),
            };
            let Some(mut piece) = next else { break };
            let words = match piece.follows {
                Follows::On => Vec::new(),
                Follows::Elsewhere => self.joiner.finish(),
                Follows::NotYet => self.joiner.release(),
            };
            self.give(words).await?;
            loop {
                let event = tokio::select! {
                    event = piece.events.recv() => event,
                    () = self.tell.closed() => return Err(Over),
                };
                let Some(event) = event else { break };
                self.take(event).await?;
            }
        }
        let words = self.joiner.finish();
        self.give(words).await
    }

    async fn take(&mut self, event: Event) -> Result<(), Over> {
        match event {
            Event::Began { start_ms } => {
                let words = self.joiner.begin(start_ms);
                self.give(words).await
            }
            Event::Words { words, until_ms, hold_from_ms } => {
                self.state(State::Listening).await?;
                let words = self.joiner.words(words, until_ms, hold_from_ms);
                self.give(words).await
            }
            Event::Over { until_ms, hold_from_ms } => {
                let words = self.joiner.end(until_ms, hold_from_ms);
                self.give(words).await
            }
            Event::Interim { text, words, until_ms } => {
                self.state(State::Listening).await?;
                self.interim(text, words, until_ms).await
            }
            Event::State(state) => self.state(state).await,
            Event::LeftOut { from_ms, to_ms, reason } => self.tell(Told::LeftOut { from_ms, to_ms, reason }).await,
            Event::Refused(error) => {
                let state = match &error {
                    SpeechError::Refused { reason, remedy } => {
                        State::Refused { reason: reason.clone(), remedy: remedy.clone() }
                    }
                    other => State::Refused { reason: other.to_string(), remedy: "start again".to_owned() },
                };
                let _ = self.refused.set(error);
                self.state(state).await?;
                Err(Over)
            }
        }
    }

    /// Tells words that may change, unless they may be known already.
    async fn interim(&mut self, text: String, words: Vec<Word>, until_ms: i64) -> Result<(), Over> {
        if text.is_empty() || self.joiner.is_at_seam() {
            return Ok(());
        }
        let start_ms = words.first().map(|word| word.start_ms).or(self.joiner.reached_ms()).unwrap_or(until_ms);
        let end_ms = until_ms.max(start_ms);
        self.tell(Told::Segment(Segment { text, start_ms, end_ms, is_final: false, words })).await
    }

    async fn give(&mut self, words: Vec<Word>) -> Result<(), Over> {
        self.counters.words.add(words.len());
        self.counters.seams.add(self.joiner.take_seams());
        for segment in segments_of(words) {
            self.counters.segments.add(1_u64);
            self.tell(Told::Segment(segment)).await?;
        }
        Ok(())
    }

    async fn state(&mut self, state: State) -> Result<(), Over> {
        if self.state.as_ref() == Some(&state) {
            return Ok(());
        }
        self.state = Some(state.clone());
        self.tell(Told::State(state)).await
    }

    async fn tell(&self, told: Told) -> Result<(), Over> {
        self.tell.send(told).await.map_err(|_| Over)
    }
}
