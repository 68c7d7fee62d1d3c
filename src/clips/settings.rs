//! How clips are made and kept, as the settings choose it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How clips are made and kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipSettings {
    /// Whether clips are made. Default true.
    pub enabled: bool,
    /// Their folder; `None` for `clips` in the folder of the server's data.
    pub folder: Option<PathBuf>,
    /// How many are cut at the same time. Default 1: FFmpeg uses all cores for one.
    pub parallel: usize,
    /// The longest clip with its lead-in. Default five minutes.
    pub longest: Duration,
    /// How much is shown before what is asked for, as far as the stream has it. Default nothing.
    pub lead_in: Duration,
    /// The short side of the picture. Default 720.
    pub lines: u32,
    /// How long finished clips are kept. Default seven days.
    pub keep: Duration,
    /// The most bytes of finished clips; the oldest go first. Default 10 GiB.
    pub quota_bytes: usize,
    /// How many clips of all streams may wait. Default 200.
    pub waiting_most: usize,
}

impl Default for ClipSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            folder: None,
            parallel: 1,
            longest: Duration::from_mins(5),
            lead_in: Duration::ZERO,
            lines: 720,
            keep: Duration::from_hours(24 * 7),
            quota_bytes: 10 << 30,
            waiting_most: 200,
        }
    }
}

impl ClipSettings {
    /// The folder of clips beside the server's data; `None` if there is no place for files.
    pub fn place(&self, data: Option<&Path>) -> Option<PathBuf> {
        self.folder.clone().or_else(|| data.map(|data| data.join("clips")))
    }

    /// The longest part of a stream that may be asked for: with the lead-in before it, the clip is the longest one.
    pub fn longest_asked(&self) -> Duration {
        self.longest.saturating_sub(self.lead_in)
    }

    /// All problems of the settings, one sentence each, with what to write.
    pub fn problems(&self) -> Vec<String> {
        let is_file = self.folder.as_ref().filter(|folder| folder.is_file());
        let file = is_file.map(|file| format!("clips.folder: {} is a file: write a folder", file.display()));
        let wrong = [
            (!(1..=64).contains(&self.parallel), "clips.parallel must be between 1 and 64"),
            (self.longest < Duration::from_secs(1), "clips.longest must be at least 1s"),
            (self.longest > Duration::from_hours(1), "clips.longest must be at most 1h"),
            (self.lead_in >= self.longest, "clips.lead_in must be shorter than clips.longest"),
            (!(120..=2160).contains(&self.lines), "clips.lines must be between 120 and 2160"),
            (self.keep.is_zero(), "'clips.keep' is nothing, so no clip would stay: write more, such as 7d"),
            (self.quota_bytes < 1 << 20, "clips.quota must be at least 1MiB"),
            (self.waiting_most < 1, "clips.waiting must be at least 1"),
        ];
        let wrong = wrong.into_iter().filter(|(wrong, _)| *wrong).map(|(_, problem)| problem.to_owned());
        file.into_iter().chain(wrong).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_all_mistakes_are_told_together() {
        assert_eq!(ClipSettings::default().problems(), Vec::<String>::new());
        let none = Duration::ZERO;
        let wrong = ClipSettings {
            folder: Some("Cargo.toml".into()),
            parallel: 0,
            longest: none,
            lead_in: none,
            lines: 7,
            keep: none,
            quota_bytes: 0,
            waiting_most: 0,
            enabled: true,
        };
        let found = wrong.problems();
        assert_eq!(found.len(), 8, "{found:#?}");
        assert!(found[0].contains("Cargo.toml is a file"), "{found:#?}");
    }

    #[test]
    fn clips_lie_beside_the_data_unless_they_have_a_folder_of_their_own() {
        let settings = ClipSettings::default();
        assert_eq!(settings.place(None), None);
        assert_eq!(settings.place(Some(Path::new("data"))), Some("data/clips".into()));
        let own = ClipSettings { folder: Some("cut".into()), ..settings };
        assert_eq!(own.place(Some(Path::new("data"))), Some("cut".into()));
    }
}
