//! Settings of the applications. Each application lists its own.

use tidemill_apps::{
    apps::APPLICATIONS,
    server::Settings,
    setting::{Row, duration},
};

/// The rows of every application.
pub(super) fn rows() -> Vec<Row<Settings>> {
    let rows = APPLICATIONS.into_iter().flat_map(|app| {
        app.window_settings.iter().map(move |setting| {
            Row::new(setting.name, setting.default, duration, move |settings: &mut Settings| {
                (setting.place)(settings.windows_mut(app))
            })
            .help(setting.help)
        })
    });
    rows.collect()
}
