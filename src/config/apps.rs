//! Settings of the applications. Each application lists its own.

use std::sync::Arc;

use tidemill::llm::Prompt;
use tidemill_apps::{
    apps::{APPLICATIONS, WindowPlace},
    server::Settings,
    setting::{Row, duration},
};

/// The rows of every application.
pub(super) fn rows() -> Vec<Row<Settings>> {
    let windows = APPLICATIONS.into_iter().flat_map(|app| {
        app.window_settings.iter().map(move |setting| {
            let row = match setting.place {
                WindowPlace::Length(place) => {
                    Row::new(setting.name, setting.default, duration, move |settings: &mut Settings| {
                        place(settings.windows_mut(app))
                    })
                }
                WindowPlace::Ends(choices) => {
                    Row::choice(setting.name, setting.default, choices, move |settings: &mut Settings| {
                        &mut settings.windows_mut(app).ends
                    })
                }
            };
            row.help(setting.help)
        })
    });
    let prompts = APPLICATIONS.into_iter().filter_map(|app| {
        let name = app.calls.as_ref()?.prompt_setting;
        let row =
            Row::new(name, "", prompt, move |settings: &mut Settings| settings.prompts.entry(app.id).or_default());
        Some(row.help("File of another prompt; see tidemill prompts"))
    });
    windows.chain(prompts).collect()
}

/// Prompts that claim the name and the version of the program's own, but say something else.
pub(super) fn prompt_problems(settings: &Settings) -> Vec<String> {
    let given = settings.apps.iter().filter_map(|app| {
        let calls = app.calls.as_ref()?;
        let prompt = settings.prompts.get(app.id)?.as_ref()?;
        Some((calls, prompt))
    });
    let wrong = given.filter_map(|(calls, prompt)| {
        let problem = calls.asked.check_version(prompt).err()?;
        Some(format!("'{}' cannot be used: {problem}", calls.prompt_setting))
    });
    wrong.collect()
}

/// The prompt in a file; `None` if the text is empty.
fn prompt(path: &str) -> Result<Option<Arc<Prompt>>, String> {
    if path.is_empty() {
        return Ok(None);
    }
    Prompt::load(path).map(|prompt| Some(Arc::new(prompt))).map_err(|error| format!("cannot be used: {error}"))
}
