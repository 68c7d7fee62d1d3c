//! How an application's windows are cut.

use std::time::Duration;

/// Lengths and patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Length of a window.
    pub window: Duration,
    /// How late a record may come.
    pub grace: Duration,
    /// How long a silent owner keeps the last window open.
    pub idle_after: Duration,
}

/// A setting of an application's windows.
#[derive(Debug, Clone, Copy)]
pub struct WindowSetting {
    /// Its name, such as `live.window`.
    pub name: &'static str,
    /// The value, as text, if nobody gives one: what [`Application::windows`](super::Application::windows) has.
    pub default: &'static str,
    /// What it does.
    pub help: &'static str,
    /// The field that it sets.
    pub place: fn(&mut Windows) -> &mut Duration,
}
