//! The demo's place in its recordings. Place and events are written to the same log, so they always agree.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tidemill::{
    Clock as _, SystemClock,
    transport::{Transport as _, embedded::EmbeddedLog},
};
use tidemill_apps::server::{DataFolder, Feed};

use super::{play::playing_ms, playlist::Playlist};

/// The demo's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Identifies the played events and their windows.
    fingerprint: String,
    /// Milliseconds added to the events' times. The value stays the same after a kill, so that events fall into the
    /// same windows.
    pub(super) shift_ms: i64,
    /// How many events are on the log.
    pub(super) played: usize,
    /// Whether all events are on the log and all their windows have results.
    pub(super) done: bool,
}

impl Place {
    /// The place before the first event. Times are shifted so that the last event is sent at its own time, none in the
    /// future.
    pub(super) fn beginning(playlist: &Playlist, speed: f64) -> Self {
        let last_ms = playlist.events.last().map_or(0, |last| last.timestamp);
        let shift_ms = SystemClock.now_ms() + playing_ms(&playlist.events, speed) - last_ms;
        let shift_ms = shift_ms - shift_ms.rem_euclid(playlist.cycle_ms);
        Self { fingerprint: playlist.fingerprint.clone(), shift_ms, played: 0, done: false }
    }

    /// The place in a folder. A new demo begins there if the folder has no place, a finished demo, or other events.
    pub(super) fn in_folder(folder: &Path, playlist: &Playlist, speed: f64) -> Result<Self> {
        DataFolder::new(folder).claim()?;
        let path = folder.join("log");
        let open = || {
            EmbeddedLog::open(&path)
                .with_context(|| format!("the log in {} cannot be opened; is a server running on it?", path.display()))
        };
        if path.exists() {
            let log = open()?;
            if let Some(place) = Feed::place(&log).context("the demo's place cannot be read")? {
                let place: Self = serde_json::from_slice(&place).context("the demo's place is not valid")?;
                if !place.done && place.fingerprint == playlist.fingerprint {
                    let (played, all) = (place.played, playlist.events.len());
                    tracing::info!("the folder holds {played} of {all} events; the demo continues after them");
                    return Ok(place);
                }
                let why = if place.done { "was played to its end" } else { "had other recordings or windows" };
                tracing::info!("the demo in the folder {why}: starting from the beginning");
            } else if log.admin()?.list_topics()?.iter().any(|topic| **topic != *Feed::TOPIC) {
                bail!(
                    "{0} holds data of a server, which a demo would delete: choose another --data-dir, or empty it \
                     with `tidemill reset --data-dir {0} --yes`",
                    folder.display()
                );
            }
        } else if folder.join("state").exists() {
            bail!("{} holds state without its log: choose another --data-dir", folder.display());
        }
        DataFolder::new(folder).discard()?;
        let place = Self::beginning(playlist, speed);
        Feed::begin(&open()?, &place.text()).context("the demo cannot begin in the folder")?;
        Ok(place)
    }

    /// The place as it is written to the log.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("numbers and texts are JSON")
    }
}
