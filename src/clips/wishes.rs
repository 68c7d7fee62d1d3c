//! Streams whose clips shall be made when they have ended. They survive a restart.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::All;

const FILE: &str = "wishes.json";

/// Wishes by stream, in a file beside the clips.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    path: PathBuf,
    all: BTreeMap<String, Wish>,
}

/// A wish, and when it was told. A stream that was erased and began again may have a newer wish than the erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wish {
    pub(super) all: All,
    pub(super) asked_ms: i64,
}

impl Wishes {
    /// Reads the wishes of a folder. A file that cannot be read counts as empty.
    pub(super) fn open(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let all = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(%error, "the wishes for clips cannot be read and are forgotten");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self { path, all }
    }

    pub(super) fn of(&self, stream_id: &str) -> Option<&Wish> {
        self.all.get(stream_id)
    }

    /// The streams with a wish.
    pub(super) fn streams(&self) -> Vec<String> {
        self.all.keys().cloned().collect()
    }

    /// Keeps a wish; `None` takes it back. When this returns, a killed process knows it.
    pub(super) fn set(&mut self, stream_id: &str, wish: Option<Wish>) -> io::Result<()> {
        let mut all = self.all.clone();
        match wish {
            Some(wish) => all.insert(stream_id.to_owned(), wish),
            None => all.remove(stream_id),
        };
        if all == self.all {
            return Ok(());
        }
        let new = self.path.with_extension("new");
        fs::write(&new, serde_json::to_vec(&all)?)?;
        fs::rename(&new, &self.path)?;
        self.all = all;
        Ok(())
    }
}
