//! Follows a playlist that moves: reads it when it may have something new, waits after trouble, and gives up in the end.

use std::time::Duration;

use tidemill_remote::Backoff;
use tokio::time::Instant;
use url::Url;

use crate::error::MediaError;
use crate::hls::{Fetch, MediaPlaylist, Piece, Playlist, Timeline, Trouble};
use crate::shown::host;

/// How often a playlist is read, and for how long.
#[derive(Debug)]
pub(crate) struct Patience {
    /// How long to wait after trouble.
    pub(crate) backoff: Backoff,
    /// How often it is read. `None`: as the playlist itself says.
    pub(crate) reload: Option<Duration>,
    /// After how long without anything new the stream is given up.
    pub(crate) give_up_after: Duration,
}

/// Follows a playlist.
#[derive(Debug)]
pub(crate) struct Follow {
    fetch: Fetch,
    address: Url,
    pub(crate) timeline: Timeline,
    patience: Patience,
    /// When the playlist was read last, and when it may be read again.
    read: Instant,
    due: Instant,
    last_new: Instant,
    /// Whether the last reading brought something.
    brought: bool,
}

impl Follow {
    /// Follows the playlist at `address` from where the timeline is.
    pub(crate) fn new(fetch: Fetch, address: Url, timeline: Timeline, patience: Patience) -> Self {
        let now = Instant::now();
        Self { fetch, address, timeline, patience, read: now, due: now, last_new: now, brought: true }
    }

    /// Follows another playlist from now on: the one that was followed only lists others.
    pub(crate) fn turn_to(&mut self, address: Url) {
        self.address = address;
    }

    /// Where the playlist is.
    pub(crate) fn address(&self) -> &Url {
        &self.address
    }

    /// Waits until the playlist may have something new, and reads it. `waits` hears of trouble that may pass.
    ///
    /// # Errors
    /// Trouble that does not pass, and a stream that has brought nothing new for too long.
    pub(crate) async fn next(&mut self, waits: impl Fn(String)) -> Result<Playlist, MediaError> {
        // While what was new is taken, the stream is not to blame for the time.
        if std::mem::take(&mut self.brought) {
            self.last_new = Instant::now();
        }
        loop {
            tokio::time::sleep_until(self.due).await;
            self.read = Instant::now();
            match self.fetch.playlist(&self.address).await {
                Ok(playlist) => {
                    self.patience.backoff.succeeded();
                    return Ok(playlist);
                }
                Err(Trouble::Passing { reason, retry_after }) => {
                    waits(reason);
                    self.due = Instant::now() + self.patience.backoff.failed(retry_after);
                }
                Err(trouble) => return Err(trouble.of_stream(&self.address)),
            }
            self.check()?;
        }
    }

    /// What of a playlist was not read yet.
    ///
    /// # Errors
    /// A stream that has brought nothing new for too long.
    pub(crate) fn new_of(&mut self, playlist: &MediaPlaylist) -> Result<Vec<Piece>, MediaError> {
        let pieces = self.timeline.read(playlist);
        self.brought = !pieces.is_empty();
        self.due = self.read + self.patience.reload.unwrap_or_else(|| until_reload(playlist, self.brought));
        if !self.brought && !playlist.ended {
            self.check()?;
        }
        Ok(pieces)
    }

    fn check(&self) -> Result<(), MediaError> {
        if self.last_new.elapsed() <= self.patience.give_up_after {
            return Ok(());
        }
        Err(MediaError::transient(format!(
            "The stream on {} has brought nothing new for {} seconds.",
            host(&self.address),
            self.patience.give_up_after.as_secs()
        )))
    }
}

/// The refusal of a playlist of playlists where segments must be.
pub(crate) fn only_playlists() -> MediaError {
    MediaError::refused("The playlist of the stream lists only playlists.", "Check the address.")
}

/// As the standard says: the longest segment after something new, half of it after nothing new.
fn until_reload(playlist: &MediaPlaylist, new: bool) -> Duration {
    let target = Duration::from_millis(playlist.target_ms.clamp(500, 30_000) as u64);
    if new { target } else { target / 2 }
}
