//! One piece of speech through the recogniser, as often as it takes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tidemill_remote::Backoff;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::piece::{Audio, End, Event, Frame};
use super::settings::TranscriberSettings;
use super::told::State;
use crate::counters::Counters;
use crate::framer::FRAME_MS;
use crate::{Limits, Recognised, Recogniser, Session, SpeechError};

/// Runs the sessions of one piece: after a break, the next session hears again what has no final words yet.
pub(super) struct Runner {
    recogniser: Arc<dyn Recogniser>,
    limits: Limits,
    language: String,
    audio: mpsc::UnboundedReceiver<Audio>,
    say: mpsc::Sender<Event>,
    counters: Arc<Counters>,
    backoff: Backoff,
    /// Audio whose words are not final, and before it what a next session hears again.
    kept: VecDeque<Arc<Frame>>,
    end: Option<End>,
    /// Up to here, words are final.
    final_ms: i64,
}

/// How a session ended.
enum Ending {
    /// All words of the piece are final.
    Complete,
    /// Nobody reads the transcript any more.
    Unread,
    Broken(SpeechError),
}

impl Runner {
    pub(super) fn new(
        recogniser: Arc<dyn Recogniser>,
        settings: &TranscriberSettings,
        number: u64,
        start_ms: i64,
        (audio, say): (mpsc::UnboundedReceiver<Audio>, mpsc::Sender<Event>),
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            limits: recogniser.limits(),
            recogniser,
            language: settings.language.clone(),
            audio,
            say,
            counters,
            backoff: Backoff::new(
                Duration::from_millis(settings.pause_ms),
                Duration::from_millis(settings.longest_pause_ms),
                settings.seed.wrapping_add(number),
            ),
            kept: VecDeque::new(),
            end: None,
            final_ms: start_ms,
        }
    }

    /// Runs until all words of the piece are final. The piece keeps its place among the running sessions through its
    /// breaks: pieces behind it wait for its words and must not take all places.
    pub(super) async fn run(mut self, sessions: Arc<Semaphore>) {
        let Ok(_session) = sessions.acquire().await else { return };
        loop {
            self.forget();
            // A session is not started for audio that may never come.
            while self.kept.back().is_none_or(|frame| frame.end_ms() <= self.final_ms) && self.end.is_none() {
                let audio = self.audio.recv().await;
                self.take(audio);
            }
            let Some(start_ms) = self.kept.front().map(|frame| frame.start_ms) else { return };
            let final_before_ms = self.final_ms;
            let ending = self.session(start_ms).await;
            let hold_from_ms = self.end.and_then(|end| end.hold_from_ms);
            let error = match ending {
                Ending::Unread => return,
                Ending::Complete => {
                    let until_ms = self.end.map_or(self.final_ms, |end| end.end_ms);
                    let _ = self.say.send(Event::Over { until_ms, hold_from_ms }).await;
                    return;
                }
                Ending::Broken(error) => error,
            };
            self.counters.breaks.add(1_u64);
            tracing::debug!(recogniser = self.recogniser.name(), %error, "a session broke");
            let over = Event::Over { until_ms: self.final_ms, hold_from_ms };
            if self.say.send(over).await.is_err() || self.recover(error, self.final_ms > final_before_ms).await.is_err()
            {
                return;
            }
        }
    }

    /// One session, from audio that begins at `start_ms`.
    async fn session(&mut self, start_ms: i64) -> Ending {
        let Session { audio, mut results } = match self.recogniser.start(start_ms, &self.language).await {
            Ok(session) => session,
            Err(error) => return Ending::Broken(error),
        };
        self.counters.sessions.add(1_u64);
        if self.say.send(Event::Began { start_ms }).await.is_err() {
            return Ending::Unread;
        }
        let mut audio = Some(audio);
        let mut finished = false;
        let mut taken = true;
        let mut next = 0;
        let patience = Duration::from_millis(self.limits.answer_within_ms);
        let mut progress = Instant::now();
        loop {
            if self.end.is_some() && next == self.kept.len() && audio.is_some() {
                audio = None;
                finished = true;
                progress = Instant::now();
            }
            let can_send = taken && audio.is_some() && next < self.kept.len();
            tokio::select! {
                biased;
                result = results.recv() => {
                    progress = Instant::now();
                    match result {
                        Some(Ok(result)) => match self.take_result(result, start_ms).await {
                            Ok(forgotten) => next = next.saturating_sub(forgotten),
                            Err(ending) => return ending,
                        },
                        Some(Err(error)) => return Ending::Broken(error),
                        None if finished => return Ending::Complete,
                        None => return Ending::Broken(SpeechError::over("the recogniser ended the session early")),
                    }
                }
                permit = reserve(audio.as_ref()), if can_send => {
                    progress = Instant::now();
                    let Some(permit) = permit else {
                        // The session's result says why it takes no more.
                        taken = false;
                        continue;
                    };
                    let frames = (self.limits.message_ms / FRAME_MS).max(1) as usize;
                    let last = (next + frames).min(self.kept.len());
                    let samples = self.kept.range(next..last).flat_map(|frame| frame.samples.iter().copied()).collect();
                    self.counters.sent_ms.add((last - next) as i64 * FRAME_MS);
                    next = last;
                    permit.send(samples);
                }
                audio = self.audio.recv(), if self.end.is_none() => self.take(audio),
                () = tokio::time::sleep_until(progress + patience), if finished || can_send => {
                    let waited = patience.as_secs_f32();
                    let reason = format!("the recogniser did not answer within {waited} s");
                    return Ending::Broken(SpeechError::transient(reason));
                }
                () = self.say.closed() => return Ending::Unread,
            }
        }
    }

    /// Passes a result on. Returns how many frames are not needed any more.
    async fn take_result(&mut self, result: Recognised, start_ms: i64) -> Result<usize, Ending> {
        let until_ms = start_ms.saturating_add(result.until_ms);
        let words: Vec<_> = result.words.into_iter().map(|word| word.shifted(start_ms)).collect();
        let event = if result.is_final {
            self.backoff.succeeded();
            self.final_ms = self.final_ms.max(until_ms);
            Event::Words { words, until_ms, hold_from_ms: self.end.and_then(|end| end.hold_from_ms) }
        } else {
            Event::Interim { text: result.text, words, until_ms }
        };
        self.say.send(event).await.map_err(|_| Ending::Unread)?;
        Ok(self.forget())
    }

    /// After a break: waits, or leaves audio out, or gives up.
    async fn recover(&mut self, error: SpeechError, progressed: bool) -> Result<(), mpsc::error::SendError<Event>> {
        let wait = match error {
            SpeechError::SessionOver { .. } if progressed => return Ok(()),
            SpeechError::SessionOver { reason } => Some((self.backoff.failed(None), reason)),
            SpeechError::Transient { reason, retry_after } => Some((self.backoff.failed(retry_after), reason)),
            SpeechError::Unusable { reason } => {
                let from_ms = self.final_ms;
                self.final_ms = self.kept.back().map_or(from_ms, |frame| frame.end_ms());
                self.counters.unusable_ms.add(self.final_ms - from_ms);
                self.kept.clear();
                let left_out = Event::LeftOut { from_ms, to_ms: self.final_ms, reason };
                self.say.send(left_out).await?;
                self.say.send(Event::Over { until_ms: self.final_ms, hold_from_ms: None }).await?;
                None
            }
            refused @ (SpeechError::Refused { .. } | SpeechError::Ended) => {
                self.say.send(Event::Refused(refused)).await?;
                self.say.closed().await;
                None
            }
        };
        if let Some((wait, reason)) = wait {
            self.say.send(Event::State(State::Waiting { wait, reason })).await?;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.say.closed() => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, audio: Option<Audio>) {
        match audio {
            Some(Audio::Frame(frame)) => self.kept.push_back(frame),
            Some(Audio::End(end)) => self.end = Some(end),
            None => {
                let end_ms = self.kept.back().map_or(self.final_ms, |frame| frame.end_ms());
                self.end = Some(End { end_ms, hold_from_ms: None });
            }
        }
    }

    /// Frees audio whose words are final, except for what the next session would hear again.
    fn forget(&mut self) -> usize {
        let again_ms = self.final_ms - self.limits.overlap_ms;
        let old = self.kept.partition_point(|frame| frame.end_ms() <= again_ms);
        self.kept.drain(..old).count()
    }
}

/// Room for a message, or none if the session takes no more.
async fn reserve(audio: Option<&mpsc::Sender<Vec<i16>>>) -> Option<mpsc::Permit<'_, Vec<i16>>> {
    match audio {
        Some(audio) => audio.reserve().await.ok(),
        None => None,
    }
}
