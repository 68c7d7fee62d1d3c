//! Settings of the analyst. They are checked together.

use std::{fs, path::PathBuf};

use tidemill::CallPolicy;

use tidemill_apps::{
    apps::gemini::{ENDPOINT, GeminiSettings, MODEL},
    server::AnalystChoice,
    setting::{Row, duration, number, path, text, variable},
};

use super::secrets::travel_safely;

/// The settings of the analyst, as given.
#[derive(Debug, Default)]
pub(super) struct Analyst {
    gemini: bool,
    model: String,
    endpoint: String,
    key: Option<String>,
    key_file: Option<PathBuf>,
    pub(super) calls: CallPolicy,
}

type Setting = Row<Analyst>;

pub(super) fn rows() -> Vec<Setting> {
    vec![
        Setting::choice("analyst.kind", "offline", &[("offline", false), ("gemini", true)], |a| &mut a.gemini)
            .flag("analyst", "KIND")
            .help("Analyst that turns windows into results"),
        Setting::new("analyst.model", MODEL, model, |a| &mut a.model).help("Gemini's model"),
        Setting::new("analyst.endpoint", ENDPOINT, endpoint, |a| &mut a.endpoint).help("Gemini's address"),
        Setting::new("analyst.api_key", "", text, |a| &mut a.key).secret().help("Gemini's API key"),
        Setting::new("analyst.api_key_file", "", path, |a| &mut a.key_file).help("File that holds Gemini's API key"),
        Setting::new("analyst.timeout", "30s", duration, |a| &mut a.calls.timeout).help("Time limit for one answer"),
        Setting::new("analyst.attempts", "4", number, |a| &mut a.calls.max_attempts)
            .help("Maximum number of attempts for one call"),
        Setting::new("analyst.in_flight", "16", number, |a| &mut a.calls.max_in_flight)
            .help("Maximum number of calls at the same time, for each application"),
    ]
}

impl Analyst {
    pub(super) fn choose(self) -> Result<AnalystChoice, String> {
        if !self.gemini {
            return Ok(AnalystChoice::Offline);
        }
        let api_key = match (self.key, self.key_file) {
            (Some(key), _) => key,
            (None, Some(file)) => {
                let read = fs::read_to_string(&file);
                read.map_err(|error| format!("'analyst.api_key_file' {}: {error}", file.display()))?
            }
            (None, None) => {
                let variable = variable("analyst.api_key");
                return Err(format!("the analyst gemini needs an API key: set {variable} or 'analyst.api_key_file'"));
            }
        };
        let api_key = api_key.trim().to_owned();
        let is_fit = !api_key.is_empty() && api_key.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_fit {
            return Err("Gemini's API key is empty, or has a space or a character that is not ASCII".to_owned());
        }
        let Self { model, endpoint, calls, .. } = self;
        Ok(AnalystChoice::Gemini(GeminiSettings { endpoint, model, api_key, timeout: calls.timeout }))
    }
}

fn model(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_name = !text.is_empty() && text.chars().all(legal);
    is_name.then(|| text.to_owned()).ok_or_else(|| format!("must be the name of a model, not '{text}'"))
}

fn endpoint(text: &str) -> Result<String, String> {
    let safe = travel_safely(text).then(|| text.to_owned());
    safe.ok_or_else(|| "must begin with https://, or the key is sent unencrypted".to_owned())
}
