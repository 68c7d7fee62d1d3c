//! Settings of the analyst. They are checked together.

use std::{fs, path::PathBuf, time::Duration};

use tidemill::{
    AnswerCache, Batch, CallPolicy, Limit,
    llm::{Price, Secret, StructuredOutput},
};
use tidemill_apps::{
    apps::{ENDPOINT, MODEL, ModelChoice, ModelSettings, ProviderSettings, TokenSettings},
    server::AnalystChoice,
    setting::{Row, amount, duration, number, path, switch, text, variable},
};

use super::{
    budget::{self, Budget},
    secrets::travel_safely,
};

/// The longest pause before the second attempt. Somebody waits for the result.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// How long a request waits for others of its batch.
const LINGER: Duration = Duration::from_millis(50);
/// The number of answers that are kept in memory.
const CACHE_ENTRIES: u64 = 10_000;

/// The settings of the analyst, as given.
#[derive(Debug, Default)]
pub(super) struct Analyst {
    kind: Kind,
    model: Option<String>,
    fallback_model: Option<String>,
    endpoint: Option<String>,
    key: Option<String>,
    key_file: Option<PathBuf>,
    price: Price,
    fallback_price: Price,
    currency: String,
    structured_output: StructuredOutput,
    project: Option<String>,
    location: String,
    token_file: Option<PathBuf>,
    token_command: Option<String>,
    timeout: Duration,
    attempts: u32,
    hedge_after: Duration,
    cache: Duration,
    batch: usize,
    tools: bool,
    pub(super) keep_calls: Duration,
    budget: Budget,
}

/// A setting that some source gives.
pub(super) struct Given {
    pub(super) name: &'static str,
    /// The source.
    pub(super) by: String,
    /// Whether the source is a variable of the environment.
    pub(super) is_variable: bool,
}

/// What is said about settings that have no effect.
#[derive(Debug, Default)]
pub(super) struct Idle {
    pub(super) warning: Option<String>,
    pub(super) problem: Option<String>,
}

/// The setting that chooses the analyst.
pub(super) const KIND: &str = "analyst.kind";
/// The settings that count for the offline analyst, too.
const OF_ANY: [&str; 5] = [KIND, "analyst.timeout", "analyst.attempts", "analyst.in_flight", "analyst.keep_calls"];

fn is_of_models(given: &Given) -> bool {
    given.name.starts_with("analyst.") && !OF_ANY.contains(&given.name)
}

/// The kinds of analysts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Offline,
    Gemini,
    Vertex,
    OpenAi,
}

type Setting = Row<Analyst>;

const KINDS: &[(&str, Kind)] =
    &[("offline", Kind::Offline), ("gemini", Kind::Gemini), ("vertex", Kind::Vertex), ("openai", Kind::OpenAi)];
const STRUCTURED: &[(&str, StructuredOutput)] = &[
    ("json_schema", StructuredOutput::JsonSchema),
    ("strict_json_schema", StructuredOutput::StrictJsonSchema),
    ("json_object", StructuredOutput::JsonObject),
    ("none", StructuredOutput::None),
];

pub(super) fn rows() -> Vec<Setting> {
    let mut rows = vec![
        Setting::choice(KIND, "offline", KINDS, |a| &mut a.kind)
            .flag("analyst", "KIND")
            .help("Analyst that turns windows into results; openai is any server that speaks its chat completions"),
        Setting::new("analyst.model", "", model, |a| &mut a.model)
            .help("The model; without it, gemini-2.5-flash of Gemini and Vertex"),
        Setting::new("analyst.fallback_model", "", model, |a| &mut a.fallback_model)
            .help("A model that is asked when the first one does not answer"),
        Setting::new("analyst.endpoint", "", endpoint, |a| &mut a.endpoint)
            .help("The service's address; for openai up to /v1, such as http://127.0.0.1:11434/v1"),
        Setting::new("analyst.api_key", "", text, |a| &mut a.key)
            .secret()
            .help("The service's API key, or several with commas, which take turns"),
        Setting::new("analyst.api_key_file", "", path, |a| &mut a.key_file)
            .help("File that holds API keys, one on each line"),
        Setting::new("analyst.price", "0/0", price, |a| &mut a.price)
            .help("Price of a million tokens, of input and output, such as 0.30/2.50"),
        Setting::new("analyst.fallback_price", "0/0", price, |a| &mut a.fallback_price)
            .help("Price of the fallback model's tokens"),
        Setting::new("analyst.currency", "USD", currency, |a| &mut a.currency).help("Currency of prices and budgets"),
        Setting::choice("analyst.structured_output", "json_schema", STRUCTURED, |a| &mut a.structured_output)
            .help("How an openai server is asked for an answer that fits a schema"),
        Setting::new("analyst.vertex_project", "", text, |a| &mut a.project).help("Project of Vertex AI"),
        Setting::new("analyst.vertex_location", "global", name, |a| &mut a.location)
            .help("Location of Vertex AI, such as europe-west4"),
        Setting::new("analyst.vertex_token_file", "", path, |a| &mut a.token_file)
            .help("File with Vertex AI's access token, which another program keeps up to date"),
        Setting::new("analyst.vertex_token_command", "", text, |a| &mut a.token_command)
            .help("Command that prints Vertex AI's access token, such as 'gcloud auth print-access-token'"),
        Setting::new("analyst.timeout", "30s", duration, |a| &mut a.timeout).help("Time limit for one answer"),
        Setting::new("analyst.attempts", "4", number, |a| &mut a.attempts)
            .help("Maximum number of attempts for one call at one model"),
        Setting::new("analyst.hedge_after", "0s", duration, |a| &mut a.hedge_after)
            .help("Start a second attempt beside one that takes longer; both are paid; 0s for never"),
        Setting::new("analyst.cache", "0s", duration, |a| &mut a.cache).help(
            "How long answers are kept for windows with the same content, which form coach has; 0s for not at all",
        ),
        Setting::new("analyst.batch", "1", number, |a| &mut a.batch).help("Maximum number of windows in one call"),
        Setting::new("analyst.tools", "false", switch, |a| &mut a.tools)
            .help("Let models look into the earlier windows of the same stream or athlete; each look is another turn"),
        Setting::new("analyst.keep_calls", "0s", duration, |a| &mut a.keep_calls)
            .help("How long requests and answers are kept for the journal of calls; 0s for no journal"),
    ];
    rows.extend(budget::rows().into_iter().map(|row| row.within(|a: &mut Analyst| &mut a.budget)));
    rows
}

impl Analyst {
    /// How calls are made. Calls to the offline analyst cost nothing, so they have no limits.
    pub(super) fn policy(&self) -> CallPolicy {
        let in_flight = usize::try_from(self.budget.in_flight).unwrap_or(usize::MAX);
        let policy = CallPolicy {
            max_in_flight: in_flight,
            timeout: self.timeout,
            max_attempts: self.attempts,
            ..CallPolicy::default()
        };
        if self.kind == Kind::Offline {
            return policy;
        }
        let some = |duration: Duration| Some(duration).filter(|duration| !duration.is_zero());
        CallPolicy {
            first_backoff: FIRST_BACKOFF,
            limits: self.limits().into_iter().map(|(_, limit)| limit).collect(),
            keep_ledger: true,
            when_exhausted: self.budget.when_exhausted,
            hedge_after: some(self.hedge_after),
            cache: some(self.cache).map(|time_to_live| AnswerCache { time_to_live, max_entries: CACHE_ENTRIES }),
            batch: (self.batch > 1).then_some(Batch { max: self.batch, linger: LINGER }),
            ..policy
        }
    }

    /// The limits of calls, each with its setting.
    pub(super) fn limits(&self) -> Vec<(&'static str, Limit)> {
        self.budget.limits()
    }

    /// Says which settings of models were given, if no model is chosen: they have no effect. Whoever names the offline
    /// analyst may keep the settings of a model for later. A variable of the environment is only odd, because it may be
    /// there for another start.
    pub(super) fn without_model(&self, given: &[Given]) -> Idle {
        let chosen = self.kind != Kind::Offline || given.iter().any(|given| given.name == KIND);
        let idle: Vec<_> = if chosen { Vec::new() } else { given.iter().filter(|given| is_of_models(given)).collect() };
        if idle.is_empty() {
            return Idle::default();
        }
        let named = |given: &&Given| if given.is_variable { given.by.clone() } else { format!("'{}'", given.name) };
        let names = idle.iter().map(named).collect::<Vec<_>>().join(", ");
        let (has, them) = if idle.len() == 1 { ("has", "it") } else { ("have", "them") };
        let text = format!(
            "{names} {has} no effect, because no model is chosen: set 'analyst.kind', for example with --analyst gemini, \
             or leave {them} out"
        );
        let is_odd = idle.iter().all(|given| given.is_variable);
        if is_odd { Idle { warning: Some(text), problem: None } } else { Idle { problem: Some(text), warning: None } }
    }

    /// Says which settings of models contradict each other without being wrong.
    pub(super) fn odd(&self) -> Option<String> {
        (self.kind != Kind::Offline && self.tools && self.batch > 1).then(|| {
            "'analyst.batch' has no effect with 'analyst.tools': a call with tools is made for each window alone, because \
             each look into earlier windows is a step of that window's own. Leave one of them out"
                .to_owned()
        })
    }

    /// The analyst. `tenants_have_money` says whether a tenant has a budget in money.
    pub(super) fn choose(self, tenants_have_money: bool) -> Result<AnalystChoice, Vec<String>> {
        let mut problems = Vec::new();
        let provider = match self.kind {
            Kind::Offline => return Ok(AnalystChoice::Offline),
            Kind::Gemini => self.gemini(&mut problems),
            Kind::Vertex => self.vertex(&mut problems),
            Kind::OpenAi => self.open_ai(&mut problems),
        };
        let default = (self.kind != Kind::OpenAi).then(|| MODEL.to_owned());
        let Some(first) = self.model.clone().or(default) else {
            problems.push("the analyst openai needs a model: set 'analyst.model'".to_owned());
            return Err(problems);
        };
        let mut models = vec![ModelChoice { name: first, price: self.price }];
        if let Some(name) = self.fallback_model.clone() {
            if name == models[0].name {
                problems.push(format!("'analyst.fallback_model' is the first model, {name}: name another one"));
            }
            models.push(ModelChoice { name, price: self.fallback_price });
        }
        for (model, setting) in models.iter().zip(["analyst.model", "analyst.fallback_model"]) {
            if self.kind != Kind::OpenAi && model.name.contains([':', '/']) {
                problems.push(format!("'{setting}' must be a name such as {MODEL}, not '{}'", model.name));
            }
        }
        if self.budget.needs_prices() || tenants_have_money {
            let priced = models.iter().zip(["analyst.price", "analyst.fallback_price"]);
            let free = priced.filter(|(model, _)| model.price == Price::default());
            problems.extend(free.map(|(model, setting)| {
                format!("a budget in money needs the price of {}: set '{setting}', such as 0.30/2.50", model.name)
            }));
        }
        if self.batch < 1 {
            problems.push("analyst.batch must be at least 1".to_owned());
        }
        match provider {
            Some(provider) if problems.is_empty() => {
                Ok(AnalystChoice::Model(ModelSettings { provider, models, currency: self.currency, tools: self.tools }))
            }
            _ => Err(problems),
        }
    }

    fn gemini(&self, problems: &mut Vec<String>) -> Option<ProviderSettings> {
        let keys = self.keys("Gemini's", problems);
        if keys.as_ref().is_some_and(Vec::is_empty) {
            let variable = variable("analyst.api_key");
            problems.push(format!("the analyst gemini needs an API key: set {variable} or 'analyst.api_key_file'"));
        }
        let endpoint = self.endpoint.clone().unwrap_or_else(|| ENDPOINT.to_owned());
        Some(ProviderSettings::Gemini { endpoint, keys: keys? })
    }

    fn open_ai(&self, problems: &mut Vec<String>) -> Option<ProviderSettings> {
        let keys = self.keys("the service's", problems);
        let Some(endpoint) = self.endpoint.clone() else {
            let example = "such as https://api.openai.com/v1 or http://127.0.0.1:11434/v1";
            problems.push(format!("the analyst openai needs an address: set 'analyst.endpoint', {example}"));
            return None;
        };
        Some(ProviderSettings::OpenAi { endpoint, keys: keys?, structured_output: self.structured_output })
    }

    fn vertex(&self, problems: &mut Vec<String>) -> Option<ProviderSettings> {
        let token = match (&self.token_file, &self.token_command) {
            (Some(file), None) => Some(TokenSettings::File(file.clone())),
            (None, Some(command)) => {
                Some(TokenSettings::Command(command.split_whitespace().map(ToOwned::to_owned).collect()))
            }
            _ => {
                problems.push(
                    "the analyst vertex needs access tokens: set one of 'analyst.vertex_token_file' and \
                     'analyst.vertex_token_command'"
                        .to_owned(),
                );
                None
            }
        };
        let project = self.project.clone().filter(|project| name(project).is_ok());
        if project.is_none() {
            problems.push("the analyst vertex needs a project: set 'analyst.vertex_project' to its id".to_owned());
        }
        let (endpoint, location) = (self.endpoint.clone(), self.location.clone());
        Some(ProviderSettings::Vertex { endpoint, project: project?, location, token: token? })
    }

    fn keys(&self, whose: &str, problems: &mut Vec<String>) -> Option<Vec<Secret>> {
        let text = match (&self.key, &self.key_file) {
            (Some(keys), _) => keys.clone(),
            (None, None) => return Some(Vec::new()),
            (None, Some(file)) => match fs::read_to_string(file) {
                Ok(text) => text,
                Err(error) => {
                    problems.push(format!("'analyst.api_key_file' {}: {error}", file.display()));
                    return None;
                }
            },
        };
        let keys: Vec<_> = text.split([',', '\n']).map(str::trim).collect();
        let keys: Vec<_> =
            if self.key.is_some() { keys } else { keys.into_iter().filter(|key| !key.is_empty()).collect() };
        let is_fit = |key: &&str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if keys.is_empty() || !keys.iter().all(is_fit) {
            problems.push(format!("{whose} API key is empty, or has a space or a character that is not ASCII"));
            return None;
        }
        Some(keys.into_iter().map(Secret::new).collect())
    }
}

fn model(text: &str) -> Result<Option<String>, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/' | '@');
    let is_name = text.chars().all(legal);
    is_name
        .then(|| Some(text.to_owned()).filter(|text| !text.is_empty()))
        .ok_or_else(|| format!("must be the name of a model, not '{text}'"))
}

fn name(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let is_name = !text.is_empty() && text.chars().all(legal);
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| format!("must be a name of letters, digits and hyphens, not '{text}'"))
}

fn currency(text: &str) -> Result<String, String> {
    let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    is_code.then(|| text.to_owned()).ok_or_else(|| format!("must be the code of a currency, such as USD, not '{text}'"))
}

fn price(text: &str) -> Result<Price, String> {
    let (input, output) =
        text.split_once('/').ok_or_else(|| format!("must be two amounts such as 0.30/2.50, not '{text}'"))?;
    Ok(Price::per_million(amount(input)?, amount(output)?))
}

/// The address of a service that gets a secret.
pub(super) fn endpoint(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if !travel_safely(text) {
        return Err("must begin with https://, or the key is sent unencrypted".to_owned());
    }
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let place = rest.split('/').next().unwrap_or_default();
    let port = place.rsplit_once(':').filter(|_| !place.ends_with(']')).map_or("1", |(_, port)| port);
    let is_place = !place.is_empty() && !place.starts_with(':') && port.parse::<u16>().is_ok();
    if !is_place || text.contains(['@', '?', '#']) || text.contains(char::is_whitespace) {
        return Err(format!(
            "must be an address such as https://api.openai.com/v1, without user, '?' and '#', not '{}'",
            shown(text)
        ));
    }
    Ok(Some(text.to_owned()))
}

/// An address without what may be a password or a key.
fn shown(text: &str) -> &str {
    if text.contains('@') { "one with a user" } else { text.split(['?', '#']).next().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_that_paths_can_follow() {
        for good in ["", "https://x.example", "https://x.example:8443/v1/", "http://[::1]:80/v1", "http://127.0.0.1:1"]
        {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for bad in
            ["https://", "https://:80", "http://127.0.0.1:99999", "https://x.example/v1?key=sesame", "https://x/#a"]
        {
            let problem = endpoint(bad).expect_err(bad);
            assert!(!problem.contains("sesame"), "{problem}");
        }
        assert!(!endpoint("https://ada:sesame@x.example").expect_err("a user").contains("sesame"));
    }

    fn problems(analyst: Analyst, tenants_have_money: bool) -> Vec<String> {
        let analyst = Analyst { kind: Kind::Gemini, key: Some("key".to_owned()), ..analyst };
        analyst.choose(tenants_have_money).err().unwrap_or_default()
    }

    #[test]
    fn a_budget_in_money_names_the_setting_of_each_price_that_is_missing() {
        let other = || Analyst { fallback_model: Some("other".to_owned()), batch: 1, ..Analyst::default() };
        assert_eq!(problems(other(), false), Vec::<String>::new());
        let found = problems(other(), true);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("'analyst.price'") && found[1].contains("'analyst.fallback_price'"), "{found:?}");
        let priced = Analyst { price: Price::per_million(1, 1), ..other() };
        assert!(problems(priced, true)[0].contains("'analyst.fallback_price'"));
    }

    #[test]
    fn names_that_gemini_does_not_know_and_a_batch_of_nothing_are_refused() {
        let found =
            problems(Analyst { model: Some("models/gemini-2.5-flash".to_owned()), ..Analyst::default() }, false);
        assert!(found[0].contains("'analyst.model'") && found[1].contains("analyst.batch"), "{found:?}");
    }
}
