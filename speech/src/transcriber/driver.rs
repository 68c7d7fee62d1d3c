//! From the ear to the pieces: frames, the gate, one runner for each piece.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::piece::{Audio, End, Follows, Frame, Place};
use super::runner::Runner;
use super::settings::TranscriberSettings;
use crate::counters::Counters;
use crate::framer::{FRAME_MS, Framer};
use crate::gate::{Cut, Cutter, Voice};
use crate::{GateSettings, Recogniser};

/// Events of a piece that wait for the pieces before it.
const EVENTS: usize = 256;

/// The last words before a stall wait so long for the audio that follows: it may hold the rest of a word.
const HELD: Duration = Duration::from_secs(15);

/// PCM that came in.
#[derive(Debug)]
pub(super) struct Pushed {
    pub(super) samples: Vec<i16>,
    pub(super) start_ms: i64,
    pub(super) room: Arc<OwnedSemaphorePermit>,
}

/// Cuts the stream into pieces.
pub(super) struct Driver {
    recogniser: Arc<dyn Recogniser>,
    settings: TranscriberSettings,
    counters: Arc<Counters>,
    line_up: mpsc::UnboundedSender<Place>,
    framer: Framer,
    voice: Option<Voice>,
    cutter: Cutter<Arc<Frame>>,
    /// How many sessions may run at the same time.
    sessions: Arc<Semaphore>,
    /// The audio of the open piece.
    open: Option<mpsc::UnboundedSender<Audio>>,
    follows: Follows,
    /// Words wait for the next piece.
    holds: bool,
    pieces: u64,
}

impl Driver {
    pub(super) fn new(
        recogniser: Arc<dyn Recogniser>,
        settings: TranscriberSettings,
        counters: Arc<Counters>,
        line_up: mpsc::UnboundedSender<Place>,
    ) -> Self {
        let limits = recogniser.limits();
        let gate = settings.gate.unwrap_or(GateSettings { lead_in_ms: 0, ..GateSettings::default() });
        Self {
            voice: settings.gate.map(|gate| Voice::new(gate.threshold)),
            cutter: Cutter::new(gate, limits),
            sessions: Arc::new(Semaphore::new(limits.sessions.max(1))),
            recogniser,
            settings,
            counters,
            line_up,
            framer: Framer::default(),
            open: None,
            follows: Follows::Elsewhere,
            holds: false,
            pieces: 0,
        }
    }

    /// Runs until the ear is dropped. `waiting` counts the pushes that wait for room.
    pub(super) async fn run(mut self, mut pushed: mpsc::Receiver<Pushed>, waiting: Arc<AtomicUsize>) {
        let idle = Duration::from_millis(self.settings.idle_ms);
        loop {
            let next = if self.open.is_some() {
                match tokio::time::timeout(idle, pushed.recv()).await {
                    Ok(next) => next,
                    Err(_) => {
                        // Unless more waits for room, nobody knows when it comes: what was heard is transcribed, and no
                        // session waits in vain.
                        if waiting.load(Relaxed) == 0 {
                            let cuts = self.cutter.pause();
                            self.follow(cuts);
                        }
                        continue;
                    }
                }
            } else if self.holds {
                match tokio::time::timeout(HELD, pushed.recv()).await {
                    Ok(next) => next,
                    Err(_) => {
                        self.release();
                        continue;
                    }
                }
            } else {
                pushed.recv().await
            };
            let Some(next) = next else { break };
            if self.line_up.is_closed() {
                return;
            }
            self.take(next);
        }
        self.interrupt();
    }

    fn take(&mut self, pushed: Pushed) {
        let framed = self.framer.push(&pushed.samples, pushed.start_ms);
        self.counters.repeated_ms.add(framed.repeated_ms);
        if framed.jumped {
            let cuts = self.cutter.interrupt();
            self.follow(cuts);
            self.follows = Follows::Elsewhere;
            if let Some(voice) = &mut self.voice {
                voice.reset();
            }
        }
        for (start_ms, samples) in framed.frames {
            self.frame(start_ms, samples, Some(Arc::clone(&pushed.room)));
        }
    }

    fn frame(&mut self, start_ms: i64, samples: Vec<i16>, room: Option<Arc<OwnedSemaphorePermit>>) {
        let voiced = self.voice.as_mut().is_none_or(|voice| voice.hears(&samples));
        let frame = Arc::new(Frame { samples, start_ms, _room: room });
        self.counters.saved_ms.add(FRAME_MS);
        let cuts = self.cutter.push(start_ms, frame, voiced);
        self.follow(cuts);
    }

    fn interrupt(&mut self) {
        if let Some((start_ms, samples)) = self.framer.flush() {
            self.frame(start_ms, samples, None);
        }
        let cuts = self.cutter.interrupt();
        self.follow(cuts);
    }

    fn follow(&mut self, cuts: Vec<Cut<Arc<Frame>>>) {
        for cut in cuts {
            match cut {
                Cut::Begin { start_ms } => self.begin(start_ms),
                Cut::Frame { frame, repeated } => {
                    if !repeated {
                        self.counters.saved_ms.take_back(FRAME_MS);
                    }
                    self.give(Audio::Frame(frame));
                }
                Cut::End { end_ms, hold_from_ms, renews } => {
                    if renews {
                        self.counters.renewals.add(1_u64);
                    }
                    self.holds = hold_from_ms.is_some();
                    self.give(Audio::End(End { end_ms, hold_from_ms }));
                    self.open = None;
                }
            }
        }
    }

    fn begin(&mut self, start_ms: i64) {
        let (audio, frames) = mpsc::unbounded_channel();
        let (say, events) = mpsc::channel(EVENTS);
        let place = Place { follows: std::mem::replace(&mut self.follows, Follows::On), events };
        self.holds = false;
        // A transcript that nobody reads any more is noticed with the next audio.
        let _ = self.line_up.send(place);
        self.pieces += 1;
        let runner = Runner::new(
            Arc::clone(&self.recogniser),
            &self.settings,
            self.pieces,
            start_ms,
            (frames, say),
            Arc::clone(&self.counters),
        );
        tokio::spawn(runner.run(Arc::clone(&self.sessions)));
        self.open = Some(audio);
    }

    /// Lets go of the words that wait for the next piece.
    fn release(&mut self) {
        self.holds = false;
        let (_, events) = mpsc::channel(1);
        let _ = self.line_up.send(Place { follows: Follows::NotYet, events });
    }

    fn give(&self, audio: Audio) {
        if let Some(open) = &self.open {
            // A runner that was refused takes no more; the assembler ends the rest.
            let _ = open.send(audio);
        }
    }
}
