//! The configuration: defaults, then the file, then the environment, then flags. All mistakes are reported together.

mod accounts;
mod analyst;
mod apps;
mod budget;
mod file;
mod help;
mod kafka;
mod near;
mod options;
mod reservation;
mod rows;
mod schema;
mod secrets;
mod server;
mod sources;
mod speech;
mod tenants;
#[cfg(test)]
mod tests;
mod text;

use std::env;

use tidemill::Limit;
use tidemill_apps::{
    apps::App,
    server::{AnalystChoice, Settings},
    setting::PREFIX,
};

use analyst::Idle;
pub(crate) use help::help;
pub(crate) use options::{Options, SET};
use rows::Draft;
pub(crate) use rows::LOG;
use sources::Sources;

/// Settings of the server, and settings that only the binary needs.
pub(crate) struct Config {
    pub(crate) settings: Settings,
    pub(crate) log_filter: String,
    /// What is odd, but no mistake.
    pub(crate) warnings: Vec<String>,
    /// What is wrong with the settings of the analyst, for commands without a server. Few of them need it.
    pub(crate) analyst_problems: Vec<String>,
}

/// Variables that have the settings' prefix but are not settings.
const OTHERS: [&str; 2] = ["TIDEMILL_CONFIG", "TIDEMILL_TOKEN"];

/// Reads all sources, for a command that runs `apps`. `serves` says whether the command runs the server.
pub(crate) fn load(options: &Options, apps: Vec<App>, serves: bool) -> Result<Config, Vec<String>> {
    // A variable whose name is not valid Unicode is not a setting.
    let vars = env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text)));
    let vars = vars.filter(|(name, _)| name.starts_with(PREFIX) && !OTHERS.contains(&name.as_str()));
    let vars = vars.map(|(name, text)| (name, text.to_string_lossy().into_owned()));
    resolve(options, vars, apps, serves)
}

fn resolve(
    options: &Options,
    vars: impl Iterator<Item = (String, String)>,
    apps: Vec<App>,
    serves: bool,
) -> Result<Config, Vec<String>> {
    let mut sources = Sources::new();
    if let Some(path) = &options.config {
        sources.read_file(path);
    }
    sources.read_variables(vars);
    sources.read_options(options);
    let mut warnings = std::mem::take(&mut sources.warnings);
    let given = sources.given();
    let (Draft { mut settings, log_filter, analyst, kafka, schema, accounts, speech }, mut problems) = sources.draft();

    settings.apps = apps;
    let of_tenants = std::mem::take(&mut settings.calls.limits);
    let tenants_have_money = of_tenants.iter().any(Limit::is_of_money);
    settings.calls = analyst.policy();
    if settings.calls.keep_ledger {
        settings.calls.limits.extend(of_tenants);
    }
    settings.keep_calls = analyst.keep_calls;
    let named = analyst.limits().into_iter().map(|(setting, limit)| (format!("'{setting}'"), limit));
    let of_tenants = settings.calls.limits.iter().skip(named.len()).cloned();
    let named: Vec<_> =
        named.chain(of_tenants.map(|limit| (format!("a [[tenant]]'s limit, {limit},"), limit))).collect();
    // Commands without a server make no calls of windows.
    let Idle { warning, problem } = if serves { analyst.without_model(&given) } else { Idle::default() };
    warnings.extend(warning);
    problems.extend(problem);
    warnings.extend(analyst.odd());
    match schema.choose() {
        Ok(chosen) => settings.format = chosen,
        // Commands without a server need no registry.
        Err(_) if !serves => {}
        Err(wrong) => problems.extend(wrong),
    }
    let mut analyst_problems = Vec::new();
    match analyst.choose(tenants_have_money) {
        Ok(chosen) => settings.analyst = chosen,
        // Most commands without a server need no API key.
        Err(wrong) if !serves => analyst_problems = wrong,
        Err(wrong) => problems.extend(wrong),
    }
    if let AnalystChoice::Model(models) = &settings.analyst
        && serves
    {
        problems.extend(reservation::too_small(&settings, models, &named));
    }
    if serves {
        problems.extend(apps::prompt_problems(&settings));
    }
    match accounts.choose() {
        Ok(chosen) => settings.sources.keys = chosen,
        // Commands without a server read no stream.
        Err(_) if !serves => {}
        Err(wrong) => problems.extend(wrong),
    }
    match speech.choose() {
        Ok(chosen) => {
            settings.sources.speech = chosen;
            warnings.extend(speech::too_late(&settings));
        }
        // Commands without a server hear nothing.
        Err(_) if !serves => {}
        Err(wrong) => problems.extend(wrong),
    }
    match kafka.choose() {
        Ok(chosen) => settings.kafka = chosen,
        Err(wrong) => problems.extend(wrong),
    }
    problems.extend(if serves { settings.problems() } else { settings.window_problems() });
    if problems.is_empty() { Ok(Config { settings, log_filter, warnings, analyst_problems }) } else { Err(problems) }
}
