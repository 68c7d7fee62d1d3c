//! The demo's events on one time line, and a fingerprint that distinguishes them from other events.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use anyhow::{Result, bail};
use tidemill::murmur2;
use tidemill_apps::{
    apps::{App, WindowEnds},
    server::Settings,
};

use super::recording::{self, Event};
use crate::cli::DemoOptions;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The demo's events.
pub(super) struct Playlist {
    /// In the order of time. Times begin near 0.
    pub(super) events: Vec<Event>,
    /// Changes when the events or their windows change.
    pub(super) fingerprint: String,
    /// A multiple of every window's length, in milliseconds. A shift by a multiple of it keeps events in the same
    /// windows.
    pub(super) cycle_ms: i64,
}

impl Playlist {
    /// Loads the named recordings, or the built-in ones.
    pub(super) fn of(options: &DemoOptions, settings: &Settings) -> Result<Self> {
        let cycle_ms = cycle_ms(settings);
        let mut recorded = BTreeMap::<&str, Vec<Event>>::new();
        if options.recordings.is_empty() {
            for app in &settings.apps {
                for (name, text) in app.recordings() {
                    recorded.entry(app.section).or_default().extend(recording::parse(name, text)?);
                }
            }
        } else {
            recorded.insert("", recording::load(&options.recordings)?);
        }
        let mut events = Vec::new();
        for recorded in recorded.into_values() {
            let first = recorded.iter().map(|event| event.timestamp).min().unwrap_or(0);
            let start = first - first.rem_euclid(cycle_ms);
            // Recordings of different days are played side by side.
            events.extend(recorded.into_iter().map(|event| (event.timestamp - start, event)));
        }
        if events.is_empty() {
            bail!("there are no events to play: name recordings, such as `tidemill demo talk.ndjson`");
        }
        events.sort_by_key(|(at, _)| *at);
        let events: Vec<Event> = events.into_iter().map(|(at, event)| event.moved_to(at)).collect();
        let fingerprint = fingerprint(&events, settings);
        Ok(Self { events, fingerprint, cycle_ms })
    }

    /// The times that results must include, each with application id and owner: the start of each window that has
    /// events. Where the content ends windows, the time of each event.
    pub(super) fn due(&self, settings: &Settings) -> BTreeSet<(&'static str, String, i64)> {
        let due = |event: &Event| {
            let time = match settings.windows(event.app).ends {
                WindowEnds::AfterLength => event.timestamp - event.timestamp.rem_euclid(window_ms(event.app, settings)),
                WindowEnds::WithContent => event.timestamp,
            };
            (event.app.id, event.key().to_owned(), time)
        };
        self.events.iter().map(due).collect()
    }
}

fn window_ms(app: App, settings: &Settings) -> i64 {
    (settings.windows(app).window.as_millis() as i64).max(1)
}

/// The least common multiple of the window lengths, in milliseconds; the longest length if the multiple exceeds a day.
fn cycle_ms(settings: &Settings) -> i64 {
    let lengths = settings.apps.iter().map(|app| window_ms(app, settings));
    lengths.fold(1, |cycle, length| {
        let (mut a, mut b) = (cycle, length);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let multiple = cycle / a * length;
        if multiple <= DAY_MS { multiple } else { cycle.max(length) }
    })
}

fn fingerprint(events: &[Event], settings: &Settings) -> String {
    let mut text: String = events.iter().map(|event| event.at(event.timestamp)).collect();
    let windows = settings.apps.iter().map(|app| settings.windows(app));
    let windows = windows.map(|windows| format!("{:?}, {:?}, {:?}", windows.ends, windows.window, windows.grace));
    // Writing to a string cannot fail.
    let _ = write!(text, "({}) {}", windows.collect::<Vec<_>>().join(", "), settings.partitions);
    format!("{} events, {:08x}", events.len(), murmur2(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidemill_apps::apps::APPLICATIONS;

    use super::*;

    #[test]
    fn windows_fit_into_the_cycle() {
        let (mut settings, [live, coach]) = (Settings::default(), APPLICATIONS);
        let cycle = |settings: &Settings| cycle_ms(settings);
        assert_eq!(cycle(&settings), 60_000);
        settings.windows_mut(coach).window = Duration::from_secs(7);
        assert_eq!(cycle(&settings), 420_000);
        settings.windows_mut(live).window = Duration::from_millis(86_400_001);
        assert_eq!(cycle(&settings), 86_400_001);
    }

    #[test]
    fn the_fingerprint_is_of_events_and_windows() -> Result<()> {
        let options = DemoOptions { recordings: Vec::new(), speed: 1.0, once: false };
        let mut settings = Settings::default();
        let playlist = Playlist::of(&options, &settings)?;
        let print = &playlist.fingerprint;
        assert_eq!(*print, Playlist::of(&options, &settings)?.fingerprint);
        assert_ne!(*print, fingerprint(&playlist.events[1..], &settings));
        settings.windows_mut(APPLICATIONS[0]).window = Duration::from_secs(30);
        assert_ne!(*print, fingerprint(&playlist.events, &settings));
        let mut settings = Settings::default();
        settings.windows_mut(APPLICATIONS[1]).ends = WindowEnds::WithContent;
        assert_ne!(*print, fingerprint(&playlist.events, &settings));
        let due = |settings: &Settings| playlist.due(settings).len();
        assert!(due(&settings) > due(&Settings::default()), "each frame is due, not each window");
        Ok(())
    }
}
