//! How audio is read.

use std::time::Duration;

use tidemill_remote::Backoff;

use crate::captions::CaptionsWanted;
use crate::hls::{Begin, Patience};
use crate::net::Reach;
use crate::process::Program;

/// How audio is read, or captions in its place.
#[derive(Debug, Clone)]
pub struct AudioOptions {
    /// The event time of the first sample, where the stream does not tell. Of a live stream: now.
    pub start_ms: i64,
    /// The event time of the first sample of what is not live and does not tell. `None`: `start_ms`. To go on in it later,
    /// give the same time again.
    pub origin_ms: Option<i64>,
    /// Audio up to this event time was taken already: reading goes on after it, as far as it can still be had.
    pub resume_after_ms: Option<i64>,
    /// Begin at the oldest segment that can be had, and not near the end. False.
    pub from_oldest: bool,
    /// The length of a block in milliseconds. 100.
    pub block_ms: u32,
    /// How many blocks are read ahead. 20.
    pub blocks_ahead: usize,
    /// How often the playlist of a live stream is read. `None`: as the playlist itself says.
    pub reload: Option<Duration>,
    /// After how long without anything new the stream is given up. Five minutes.
    pub give_up_after: Duration,
    /// How often a segment is asked for before it counts as lost. 4.
    pub attempts: u32,
    /// The first waiting time after trouble. One second.
    pub wait_first: Duration,
    /// The longest waiting time after trouble. 30 seconds.
    pub wait_most: Duration,
    /// What waiting times are drawn from.
    pub seed: u64,
    /// Which addresses of the network may be read. All.
    pub reach: Reach,
    /// Whether a [`Listener`](crate::Listener) reads captions in the place of audio. Off.
    pub captions: CaptionsWanted,
    /// After how long without any caption the audio is read where captions are only preferred: some streams list captions
    /// that nobody writes. Three minutes.
    pub captions_patience: Duration,
    /// The language of the captions that are read, as BCP 47. `None`: the stream's default.
    pub language: Option<String>,
    /// FFmpeg. `None`: the one that is installed.
    pub ffmpeg: Option<Program>,
}

impl AudioOptions {
    /// The usual way, for a stream whose first sample is at `start_ms` unless it tells itself.
    pub fn new(start_ms: i64) -> Self {
        Self {
            start_ms,
            origin_ms: None,
            resume_after_ms: None,
            from_oldest: false,
            block_ms: 100,
            blocks_ahead: 20,
            reload: None,
            give_up_after: Duration::from_secs(300),
            attempts: 4,
            wait_first: Duration::from_secs(1),
            wait_most: Duration::from_secs(30),
            seed: 0,
            reach: Reach::default(),
            captions: CaptionsWanted::Off,
            captions_patience: Duration::from_mins(3),
            language: None,
            ffmpeg: None,
        }
    }

    /// Where reading begins, where nothing was taken yet or what was taken ends `margin_ms` later.
    pub(crate) fn begin(&self, margin_ms: i64) -> Begin {
        match self.resume_after_ms {
            Some(ms) => Begin::At(ms.saturating_sub(margin_ms)),
            None if self.from_oldest => Begin::Oldest,
            None => Begin::Live,
        }
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience { backoff: self.backoff(1), reload: self.reload, give_up_after: self.give_up_after }
    }

    pub(crate) fn backoff(&self, part: u64) -> Backoff {
        Backoff::new(self.wait_first, self.wait_most, self.seed.wrapping_add(part))
    }
}
