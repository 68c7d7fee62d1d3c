//! PCM in, segments out, for as long as the stream runs.

mod assembler;
mod driver;
mod piece;
mod runner;
mod settings;
mod told;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Semaphore, mpsc};

use crate::counters::{Counters, Counts};
use crate::{Recogniser, SAMPLES_PER_MS, SpeechError};
use driver::Pushed;

pub use settings::TranscriberSettings;
pub use told::{State, Told};

/// Audio is taken in pieces of at most this length, so that a large one waits for room bit by bit.
const STEP: usize = 1_000 * SAMPLES_PER_MS;
/// Segments that wait to be read. While they wait, no more audio is recognised, and then none is taken.
const TOLD: usize = 64;

/// Turns a stream's speech into segments.
///
/// Audio waits in memory until its words are final: a session of the recogniser that breaks is started again with this
/// audio, after a pause that grows, and costs no word. While the memory for audio is full, [`Ear::push`] waits.
#[derive(Debug)]
pub struct Transcriber;

impl Transcriber {
    /// Starts transcribing, on the current tokio runtime. It ends when the ear is dropped and all words are told, or when
    /// the transcript is dropped, or when the recogniser refuses to work.
    pub fn start(recogniser: Arc<dyn Recogniser>, settings: TranscriberSettings) -> (Ear, Transcript) {
        let counters = Arc::new(Counters::default());
        let refused = Arc::new(OnceLock::new());
        let limits = recogniser.limits();
        let room_ms = settings.buffer_ms.max(limits.longest_ms + 2 * limits.overlap_ms + 10_000);
        let room = Arc::new(Semaphore::new(usize::try_from(room_ms).unwrap_or(0).min(Semaphore::MAX_PERMITS)));
        let (push, pushed) = mpsc::channel(16);
        let (tell, told) = mpsc::channel(TOLD);
        let (line_up, lined_up) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let assembler = assembler::Assembler::new(tell, Arc::clone(&counters), Arc::clone(&refused));
        tokio::spawn(assembler.run(lined_up));
        let driver = driver::Driver::new(recogniser, settings, Arc::clone(&counters), line_up);
        tokio::spawn(driver.run(pushed, Arc::clone(&waiting)));
        let ear = Ear { push, room, waiting, refused, counters: Arc::clone(&counters) };
        (ear, Transcript { told, counters })
    }
}

/// Takes the stream's audio.
#[derive(Debug)]
pub struct Ear {
    push: mpsc::Sender<Pushed>,
    room: Arc<Semaphore>,
    /// How many pushes wait. While one does, more audio is known to come.
    waiting: Arc<AtomicUsize>,
    refused: Arc<OnceLock<SpeechError>>,
    counters: Arc<Counters>,
}

/// A push that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn at(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Ear {
    /// Takes 16 kHz mono PCM that begins at this event time in milliseconds, and waits while there is no room for more:
    /// that is the backpressure. Audio whose time jumps begins anew; audio that was there before is left out. An error says
    /// why nothing more is transcribed.
    pub async fn push(&self, samples: &[i16], start_ms: i64) -> Result<(), SpeechError> {
        let _waiting = Waiting::at(&self.waiting);
        for (step, samples) in samples.chunks(STEP).enumerate() {
            let start_ms = start_ms + (step * STEP / SAMPLES_PER_MS) as i64;
            let ms = samples.len().div_ceil(SAMPLES_PER_MS) as u32;
            let room = tokio::select! {
                room = Arc::clone(&self.room).acquire_many_owned(ms) => room.map_err(|_| self.ended())?,
                () = self.push.closed() => return Err(self.ended()),
            };
            self.counters.heard_ms.add(ms);
            let pushed = Pushed { samples: samples.to_vec(), start_ms, room: Arc::new(room) };
            self.push.send(pushed).await.map_err(|_| self.ended())?;
        }
        Ok(())
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.counters.counts()
    }

    fn ended(&self) -> SpeechError {
        self.refused.get().cloned().unwrap_or(SpeechError::Ended)
    }
}

/// Gives the stream's segments.
#[derive(Debug)]
pub struct Transcript {
    told: mpsc::Receiver<Told>,
    counters: Arc<Counters>,
}

impl Transcript {
    /// Waits for what is told next: segments in order of time, and changes of state. Nothing follows `None`. Cancel safe.
    pub async fn next(&mut self) -> Option<Told> {
        self.told.recv().await
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.counters.counts()
    }
}
