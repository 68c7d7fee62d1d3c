//! Settings of the applications.

use tidemill::{
    apps::{form_coach::CoachSettings, live_insight::LiveSettings},
    server::Settings,
    setting::{Row, duration},
};

use super::rows::within;

/// The rows of every application.
pub(super) fn rows() -> Vec<Row<Settings>> {
    let mut rows = within(live(), |settings: &mut Settings| &mut settings.live);
    rows.extend(within(coach(), |settings: &mut Settings| &mut settings.coach));
    rows
}

/// Of live insight.
fn live() -> Vec<Row<LiveSettings>> {
    type Setting = Row<LiveSettings>;
    vec![
        Setting::new("live.window", "60s", duration, |s| &mut s.window).help("Length of live insight's windows"),
        Setting::new("live.grace", "2s", duration, |s| &mut s.grace).help("How late chat and speech may come"),
        Setting::new("live.idle_after", "5s", duration, |s| &mut s.idle_after)
            .help("How long a stream must be silent before the clock closes its windows"),
    ]
}

/// Of form coach.
fn coach() -> Vec<Row<CoachSettings>> {
    type Setting = Row<CoachSettings>;
    vec![
        Setting::new("coach.window", "3s", duration, |s| &mut s.window).help("Length of form coach's windows"),
        Setting::new("coach.grace", "500ms", duration, |s| &mut s.grace).help("How late frames may come"),
        Setting::new("coach.idle_after", "500ms", duration, |s| &mut s.idle_after)
            .help("How long an athlete must be silent before the clock closes the athlete's windows"),
    ]
}
