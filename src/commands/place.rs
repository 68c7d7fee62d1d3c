//! Where the demo is in what it plays: kept in the log it plays into, so that both are always of the same moment.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tidemill::{
    Clock as _, SystemClock,
    transport::{Transport as _, embedded::EmbeddedLog},
};
use tidemill_apps::server::Feed;

use super::{folder::discard, play::playing_ms, playlist::Playlist};

/// The demo's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// What is played.
    fingerprint: String,
    /// What is added to the events' times. It stays, however often the demo is killed and however long it was down:
    /// events belong into their windows.
    pub(super) shift_ms: i64,
    /// Events on the log.
    pub(super) played: usize,
    /// All are, and all their windows have results.
    pub(super) done: bool,
}

impl Place {
    /// The beginning, with times as if the last event happened when it is sent: nothing lies in the future.
    pub(super) fn beginning(playlist: &Playlist, speed: f64) -> Self {
        let last_ms = playlist.events.last().map_or(0, |last| last.timestamp);
        let shift_ms = SystemClock.now_ms() + playing_ms(&playlist.events, speed) - last_ms;
        let shift_ms = shift_ms - shift_ms.rem_euclid(playlist.cycle_ms);
        Self { fingerprint: playlist.fingerprint.clone(), shift_ms, played: 0, done: false }
    }

    /// The place that a folder has. If it has none, was played to its end, or has other events, a demo begins there.
    pub(super) fn in_folder(folder: &Path, playlist: &Playlist, speed: f64) -> Result<Self> {
        let path = folder.join("log");
        let open = || {
            EmbeddedLog::open(&path)
                .with_context(|| format!("the log in {} cannot be opened; is a server running on it?", path.display()))
        };
        if path.exists() {
            let log = open()?;
            if let Some(place) = Feed::place(&log).context("the demo's place cannot be read")? {
                let place: Self = serde_json::from_slice(&place).context("the demo's place cannot be understood")?;
                if !place.done && place.fingerprint == playlist.fingerprint {
                    let (played, all) = (place.played, playlist.events.len());
                    tracing::info!("going on after {played} of {all} events, as the folder has them");
                    return Ok(place);
                }
                let why = if place.done { "was played to its end" } else { "had other recordings or windows" };
                tracing::info!("the demo in the folder {why}: beginning anew");
            } else if log.admin()?.list_topics()?.iter().any(|topic| **topic != *Feed::TOPIC) {
                bail!(
                    "{} holds what is not a demo's: choose another --data-dir, or empty it with `tidemill reset --data-dir FOLDER --yes`",
                    folder.display()
                );
            }
        } else if folder.join("state").exists() {
            bail!("{} holds state without its log: choose another --data-dir", folder.display());
        }
        discard(folder)?;
        let place = Self::beginning(playlist, speed);
        Feed::begin(&open()?, &place.text()).context("the demo cannot begin in the folder")?;
        Ok(place)
    }

    /// As the log has it.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("numbers and texts are JSON")
    }
}
