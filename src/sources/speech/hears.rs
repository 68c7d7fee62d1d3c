//! Takes the audio of a source to the ear, at the pace of the clock.

use std::time::Duration;

use tidemill_chat::Url;
use tidemill_media::{AudioState, MediaError, Pcm};
use tidemill_schemas::Arrival;
use tidemill_speech::Ear;
use tokio::sync::{Mutex, watch};

use super::{Hearing, Opening, Sound};
use crate::sources::{Gate, Guard, SpeechState};

/// How often the state of audio is looked at that brings nothing.
const LOOK: Duration = Duration::from_secs(1);
/// By how much audio may be ahead of the clock.
const AHEAD_MS: i64 = 1_000;
/// Audio that is resumed is younger than the oldest events by this, so that it does not get too old on its way.
const MARGIN_MS: i64 = 60_000;
/// The first and the longest pause before audio is opened again. It has tried again by itself before.
const PAUSES: [Duration; 2] = [Duration::from_secs(15), Duration::from_mins(5)];

pub(super) struct Hears<'a> {
    pub(super) hearing: &'a dyn Hearing,
    pub(super) guard: Guard,
    pub(super) gate: &'a dyn Gate,
    pub(super) media: &'a Url,
    pub(super) origin_ms: i64,
    pub(super) position_ms: Option<i64>,
    pub(super) is_over: &'a (dyn Fn() -> bool + Sync),
    pub(super) seed: u64,
    pub(super) ear: Ear,
    pub(super) state: watch::Sender<SpeechState>,
    /// Held while something that was said is being written.
    pub(super) writing: &'a Mutex<()>,
}

/// Why audio is not followed any more.
enum Stop {
    Audio(MediaError),
    /// Everything is too old to be used.
    Old(String),
    /// The ear takes no more; the transcript says why.
    Deaf,
}

/// Whether audio can be used now.
#[derive(Debug, PartialEq, Eq)]
enum Fit {
    Now,
    Early { by_ms: i64 },
    Old,
}

impl Hears<'_> {
    /// Hears until there is no more, or a person must act. Returns the last state.
    pub(super) async fn run(mut self) -> SpeechState {
        let [mut pause, longest] = PAUSES;
        loop {
            let before_ms = self.position_ms;
            let error = match self.guard.check_url(self.media).await {
                Ok(()) => match self.listen().await {
                    Stop::Audio(error) => error,
                    Stop::Old(reason) => {
                        return SpeechState::refused(
                            &reason,
                            "read a stream that is live, or raise data.raw_retention",
                        );
                    }
                    Stop::Deaf => return SpeechState::Ended,
                },
                Err((reason, _)) if Guard::is_unknown(&reason) => MediaError::Transient { reason, retry_after: None },
                Err((reason, remedy)) => return SpeechState::refused(&reason, remedy),
            };
            if self.position_ms != before_ms {
                pause = PAUSES[0];
            }
            match &error {
                MediaError::Ended => return SpeechState::Ended,
                MediaError::Refused { reason, remedy } => return SpeechState::refused(reason, remedy),
                MediaError::Missing { program, remedy } => {
                    return SpeechState::refused(&format!("the program {program} is not installed"), remedy);
                }
                _ if (self.is_over)() => return SpeechState::Ended,
                _ => {}
            }
            let reason = match &error {
                MediaError::NotLive { reason, .. } => reason.clone(),
                error => error.to_string(),
            };
            let until_ms = self.gate.arrival().now_ms + pause.as_millis() as i64;
            self.tell(SpeechState::waiting(&reason, Some(until_ms)));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Opens the audio and takes it to the ear.
    async fn listen(&mut self) -> Stop {
        self.tell(SpeechState::Connecting);
        let arrival = self.gate.arrival();
        let (now_ms, origin_ms, seed) = (arrival.now_ms, self.origin_ms, self.seed);
        let after_ms = self.position_ms.map(|position_ms| position_ms.max(oldest(arrival)));
        let mut sound = self.hearing.open(self.media, Opening { now_ms, origin_ms, after_ms, seed });
        let mut has_heard = after_ms.is_some();
        loop {
            let pcm = match self.next(&mut *sound).await {
                Ok(pcm) => pcm,
                Err(error) => return Stop::Audio(error),
            };
            match self.wait(&pcm).await {
                Fit::Old if !has_heard => {
                    let age = (self.gate.arrival().now_ms - pcm.start_ms) / 3_600_000;
                    return Stop::Old(format!("the audio is {age} hours old, and events are not kept so long"));
                }
                // The recogniser is slower than the speech.
                Fit::Old => self.tell(SpeechState::waiting("speech that got too old is left out", None)),
                Fit::Early { .. } | Fit::Now => {
                    self.tell(SpeechState::Listening);
                    // While the log cannot take what was said, no more is heard.
                    drop(self.writing.lock().await);
                    if self.ear.push(&pcm.samples, pcm.start_ms).await.is_err() {
                        return Stop::Deaf;
                    }
                    has_heard = true;
                }
            }
            self.position_ms = self.position_ms.max(Some(pcm.end_ms()));
        }
    }

    /// Waits for the next block, and tells of trouble meanwhile.
    async fn next(&self, sound: &mut dyn Sound) -> Result<Pcm, MediaError> {
        loop {
            match tokio::time::timeout(LOOK, sound.next()).await {
                Ok(next) => return next,
                Err(_) => {
                    if let AudioState::Waiting { reason } = sound.state() {
                        self.tell(SpeechState::waiting(&reason, None));
                    }
                }
            }
        }
    }

    /// Waits until a block's time has come: a recording plays as if it were live.
    async fn wait(&self, pcm: &Pcm) -> Fit {
        loop {
            let arrival = self.gate.arrival();
            let Fit::Early { by_ms } = fit(pcm, arrival) else { return fit(pcm, arrival) };
            if by_ms > arrival.ahead_max_ms {
                let reason = format!("the stream's clock is {} seconds ahead of the server's", by_ms / 1_000);
                self.tell(SpeechState::waiting(&reason, Some(pcm.start_ms)));
            }
            tokio::time::sleep(Duration::from_millis(by_ms.clamp(1, 1_000).unsigned_abs())).await;
        }
    }

    fn tell(&self, state: SpeechState) {
        self.state.send_if_modified(|last| {
            let is_new = *last != state;
            *last = state;
            is_new
        });
    }
}

/// The oldest audio that is worth to be opened.
fn oldest(arrival: Arrival) -> i64 {
    let margin_ms = MARGIN_MS.min(arrival.kept_ms / 2);
    arrival.now_ms.saturating_sub(arrival.kept_ms).saturating_add(margin_ms)
}

fn fit(pcm: &Pcm, arrival: Arrival) -> Fit {
    let ahead_ms = pcm.start_ms.saturating_sub(arrival.now_ms);
    if ahead_ms > AHEAD_MS {
        Fit::Early { by_ms: ahead_ms - AHEAD_MS }
    } else if ahead_ms < arrival.kept_ms.saturating_neg() {
        Fit::Old
    } else {
        Fit::Now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_767_225_600_000;
    const ARRIVAL: Arrival = Arrival { kept_ms: 3_600_000, ..Arrival::at(NOW_MS) };

    fn at(ms: i64) -> Pcm {
        Pcm { samples: vec![0; 1_600], start_ms: NOW_MS + ms }
    }

    #[test]
    fn audio_plays_no_faster_than_the_clock_and_no_older_than_events_are_kept() {
        assert_eq!(fit(&at(0), ARRIVAL), Fit::Now);
        assert_eq!(fit(&at(AHEAD_MS), ARRIVAL), Fit::Now);
        assert_eq!(fit(&at(AHEAD_MS + 250), ARRIVAL), Fit::Early { by_ms: 250 });
        assert_eq!(fit(&at(-3_600_000), ARRIVAL), Fit::Now);
        assert_eq!(fit(&at(-3_600_001), ARRIVAL), Fit::Old);
        assert_eq!(fit(&at(-3_600_001), Arrival::at(NOW_MS)), Fit::Now);
    }

    #[test]
    fn what_is_resumed_is_not_too_old_at_once() {
        assert_eq!(fit(&Pcm { samples: Vec::new(), start_ms: oldest(ARRIVAL) }, ARRIVAL), Fit::Now);
        assert!(oldest(Arrival::at(NOW_MS)) < 0, "without a limit, all may be resumed");
    }
}
