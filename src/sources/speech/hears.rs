//! Takes the audio of a source to the ear, or its captions to the transcript, at the pace of the clock.

use std::time::Duration;

use tidemill_media::{AudioState, Caption, Given, MediaError};
use tidemill_schemas::Arrival;
use tidemill_speech::{Ear, Segment};
use tokio::sync::{Mutex, watch};

use super::{Hearing, Opening, Sound, Wish};
use crate::sources::{
    Gate, Guard, SpeechState,
    heard::Heard,
    inbox::{Gone, Inbox},
};

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
    pub(super) wish: &'a Wish,
    pub(super) origin_ms: i64,
    pub(super) position_ms: Option<i64>,
    pub(super) is_over: &'a (dyn Fn() -> bool + Sync),
    pub(super) seed: u64,
    /// Takes audio; without one, only captions are wanted.
    pub(super) ear: Option<Ear>,
    /// Takes captions.
    pub(super) inbox: &'a Inbox,
    pub(super) state: watch::Sender<SpeechState>,
    /// Held while something that was said is being written.
    pub(super) writing: &'a Mutex<()>,
}

/// Why audio is not followed any more.
enum Stop {
    Audio(MediaError),
    /// Everything is too old to be used.
    Old(String),
    /// What is heard is not taken any more; the transcript says why.
    Deaf,
}

/// Whether what was said can be used now.
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
            let error = match self.guard.check_url(&self.wish.media).await {
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
                MediaError::NoCaptions { reason } => {
                    let remedy = if self.ear.is_some() {
                        "let its speech be heard: choose prefer for captions"
                    } else {
                        "let its speech be heard: set sources.speech"
                    };
                    return SpeechState::refused(reason, remedy);
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
        let Wish { media, captions } = self.wish;
        let opening = Opening { now_ms, origin_ms, after_ms, captions: *captions, seed };
        let mut sound = self.hearing.open(media, opening);
        let mut has_heard = after_ms.is_some();
        loop {
            let given = match self.next(&mut *sound).await {
                Ok(given) => given,
                Err(error) => return Stop::Audio(error),
            };
            let end_ms = given.end_ms();
            match self.wait(given.start_ms()).await {
                Fit::Old if !has_heard => {
                    let age = (self.gate.arrival().now_ms - given.start_ms()) / 3_600_000;
                    return Stop::Old(format!("what is said is {age} hours old, and events are not kept so long"));
                }
                // The recogniser is slower than the speech.
                Fit::Old => self.tell(SpeechState::waiting("speech that got too old is left out", None)),
                Fit::Early { .. } | Fit::Now => {
                    if self.take(given).await.is_err() {
                        return Stop::Deaf;
                    }
                    has_heard = true;
                }
            }
            self.position_ms = self.position_ms.max(Some(end_ms));
        }
    }

    /// Takes audio to the ear, and a caption to where what the ear heard goes, too.
    async fn take(&self, given: Given) -> Result<(), Gone> {
        self.tell(SpeechState::Listening { captions: matches!(given, Given::Caption(_)) });
        // While the log cannot take what was said, no more is heard.
        let writing = self.writing.lock().await;
        match (given, &self.ear) {
            (Given::Caption(caption), _) => {
                let Caption { text, start_ms, end_ms } = caption;
                let segment = Segment { text, start_ms, end_ms, is_final: true, words: Vec::new() };
                self.inbox.put(Heard::Said(segment)).await
            }
            (Given::Pcm(pcm), Some(ear)) => {
                drop(writing);
                ear.push(&pcm.samples, pcm.start_ms).await.map_err(|_| Gone)
            }
            (Given::Pcm(_), None) => Ok(()),
        }
    }

    /// Waits for the next block or caption, and tells of trouble meanwhile.
    async fn next(&self, sound: &mut dyn Sound) -> Result<Given, MediaError> {
        loop {
            match tokio::time::timeout(LOOK, sound.next()).await {
                Ok(next) => return next,
                Err(_) => match sound.state() {
                    AudioState::Waiting { reason } => self.tell(SpeechState::waiting(&reason, None)),
                    // Captions may come late: nobody has to speak in a stream.
                    AudioState::Captions => self.tell(SpeechState::Listening { captions: true }),
                    AudioState::Connecting | AudioState::Reading | AudioState::Ended => {}
                },
            }
        }
    }

    /// Waits until a time has come: a recording plays as if it were live.
    async fn wait(&self, start_ms: i64) -> Fit {
        loop {
            let arrival = self.gate.arrival();
            let Fit::Early { by_ms } = fit(start_ms, arrival) else { return fit(start_ms, arrival) };
            if by_ms > arrival.ahead_max_ms {
                let reason = format!("the stream's clock is {} seconds ahead of the server's", by_ms / 1_000);
                self.tell(SpeechState::waiting(&reason, Some(start_ms)));
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

fn fit(start_ms: i64, arrival: Arrival) -> Fit {
    let ahead_ms = start_ms.saturating_sub(arrival.now_ms);
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

    fn at(ms: i64) -> i64 {
        NOW_MS + ms
    }

    #[test]
    fn audio_plays_no_faster_than_the_clock_and_no_older_than_events_are_kept() {
        assert_eq!(fit(at(0), ARRIVAL), Fit::Now);
        assert_eq!(fit(at(AHEAD_MS), ARRIVAL), Fit::Now);
        assert_eq!(fit(at(AHEAD_MS + 250), ARRIVAL), Fit::Early { by_ms: 250 });
        assert_eq!(fit(at(-3_600_000), ARRIVAL), Fit::Now);
        assert_eq!(fit(at(-3_600_001), ARRIVAL), Fit::Old);
        assert_eq!(fit(at(-3_600_001), Arrival::at(NOW_MS)), Fit::Now);
    }

    #[test]
    fn what_is_resumed_is_not_too_old_at_once() {
        assert_eq!(fit(oldest(ARRIVAL), ARRIVAL), Fit::Now);
        assert!(oldest(Arrival::at(NOW_MS)) < 0, "without a limit, all may be resumed");
    }
}
