//! How clips are made and kept.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidemill_remote::Backoff;

use crate::clips::{Caption, ClipRequest};
use crate::net::Reach;
use crate::process::Program;
use crate::resolve::Resolver;

/// Tells what was said in a clip, when its footage is there: what is said at its end may be known only then. It is asked
/// for clips that are [`captioned`](ClipRequest::captioned), at each attempt.
pub type AskCaptions = Arc<dyn Fn(&ClipRequest) -> Pin<Box<dyn Future<Output = Vec<Caption>> + Send>> + Send + Sync>;

/// How clips are made and kept.
#[derive(Clone)]
pub struct ClipsOptions {
    /// Where clips and the journal are. One process at a time uses it.
    pub folder: PathBuf,
    /// How many clips are cut at once. 1: FFmpeg uses all cores for one.
    pub parallel: usize,
    /// For how many clips footage is fetched at once, for those of one owner half as many. A clip that waits for what is
    /// still to come does not count. 8.
    pub fetching: usize,
    /// How many clips may wait; more are refused. 200.
    pub queued_most: usize,
    /// The longest clip with its lead-in, in milliseconds. Five minutes.
    pub longest_ms: i64,
    /// How many bytes the footage of a clip may take beside 8 MB for each of its seconds. 256 MB.
    pub spare_bytes: u64,
    /// The short side of the picture. 720.
    pub lines: u32,
    /// For how long clips are kept that are finished, and those that failed or were cancelled. `None`: for ever; of the
    /// latter an owner keeps the newest 200.
    pub keep: Option<Duration>,
    /// How many bytes finished clips may take; the oldest go first, the newest always stays. `None`: any number.
    pub quota_bytes: Option<u64>,
    /// How often a clip and each of its segments are tried. 4.
    pub attempts: u32,
    /// The first waiting time after trouble. Two seconds.
    pub wait_first: Duration,
    /// The longest waiting time after trouble. One minute.
    pub wait_most: Duration,
    /// What waiting times are drawn from.
    pub seed: u64,
    /// After how long without new segments a stream is given up whose end of the clip is still to come. Two minutes.
    pub give_up_after: Duration,
    /// How often the playlist of a live stream is read. `None`: as the playlist itself says.
    pub reload: Option<Duration>,
    /// How long FFmpeg may take for one clip. 20 minutes.
    pub longest_work: Duration,
    /// Resolves the addresses of footage.
    pub resolver: Resolver,
    /// Which addresses of the network footage may be read from. All.
    pub reach: Reach,
    /// Tells what was said in clips that are captioned. `None`: only captions of the request are burnt in.
    pub captions: Option<AskCaptions>,
    /// FFmpeg. `None`: the one that is installed.
    pub ffmpeg: Option<Program>,
    /// The time, in milliseconds since 1970.
    pub now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl ClipsOptions {
    /// The usual way, in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            parallel: 1,
            fetching: 8,
            queued_most: 200,
            longest_ms: 300_000,
            spare_bytes: 256 << 20,
            lines: 720,
            keep: None,
            quota_bytes: None,
            attempts: 4,
            wait_first: Duration::from_secs(2),
            wait_most: Duration::from_secs(60),
            seed: 0,
            give_up_after: Duration::from_secs(120),
            reload: None,
            longest_work: Duration::from_secs(1200),
            resolver: Resolver::default(),
            reach: Reach::default(),
            captions: None,
            ffmpeg: None,
            now_ms: Arc::new(|| {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
            }),
        }
    }

    pub(super) fn backoff(&self, part: u64) -> Backoff {
        Backoff::new(self.wait_first, self.wait_most, self.seed.wrapping_add(part))
    }
}

impl fmt::Debug for ClipsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClipsOptions")
            .field("folder", &self.folder)
            .field("parallel", &self.parallel)
            .finish_non_exhaustive()
    }
}
