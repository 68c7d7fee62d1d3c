//! The windows of an application.

use std::time::Duration;

/// Length and closing times of windows, and the time for their answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Where windows end.
    pub ends: WindowEnds,
    /// Length of a window; the windows do not overlap. If the content ends windows, the length of a window in which
    /// nothing ends.
    pub window: Duration,
    /// Grace: how late a record may arrive.
    pub grace: Duration,
    /// How long the last window of a silent owner stays open.
    pub idle_after: Duration,
    /// How long after its window's end a model's answer is still useful. Then the offline analyst's result is published.
    pub answer_within: Duration,
}

/// Where an application's windows end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowEnds {
    /// Each window has the same length, [`Windows::window`].
    #[default]
    AfterLength,
    /// The application ends a window where something ends that its events tell of.
    WithContent,
}

/// A setting of an application's windows.
#[derive(Debug, Clone, Copy)]
pub struct WindowSetting {
    /// The setting's name, such as `live.window`.
    pub name: &'static str,
    /// The value, as text, if no source gives one. Must equal the value in
    /// [`Application::windows`](super::Application::windows).
    pub default: &'static str,
    /// The help text.
    pub help: &'static str,
    /// The field that the setting changes.
    pub place: WindowPlace,
}

/// The field that a setting of windows changes.
#[derive(Debug, Clone, Copy)]
pub enum WindowPlace {
    /// A duration.
    Length(fn(&mut Windows) -> &mut Duration),
    /// [`Windows::ends`], with a word for each choice.
    Ends(&'static [(&'static str, WindowEnds)]),
}
