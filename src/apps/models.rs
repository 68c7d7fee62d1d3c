//! The models that may turn windows into results: which provider, which models, what they cost.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tidemill::{
    BreakerPolicy, Route,
    llm::{
        CommandToken, FileToken, Gemini, ModelCaller, ModelRoute, ModelTask, OpenAi, Price, Provider, Secret,
        SettingNames, SetupError, StructuredOutput,
    },
};
use tokio::runtime::Handle;

use crate::setting::variable;

/// Models of one provider.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// The provider, and how it lets us in.
    pub provider: ProviderSettings,
    /// The models in the order in which they are asked, at least one. If none answers, the offline result is published.
    pub models: Vec<ModelChoice>,
    /// The currency of the prices, such as `USD`.
    pub currency: String,
    /// Whether models may look into the earlier results of the same owner.
    pub tools: bool,
}

/// A model and the price of its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChoice {
    /// The name that the provider knows.
    pub name: String,
    /// The price. Zero if it is not known.
    pub price: Price,
}

/// A provider, and how it lets us in.
#[derive(Debug, Clone)]
pub enum ProviderSettings {
    /// The Gemini API.
    Gemini {
        /// The URL of the service, without a path.
        endpoint: String,
        /// The API keys, which take turns.
        keys: Vec<Secret>,
    },
    /// Gemini on Vertex AI.
    Vertex {
        /// The URL of the service, if it is not Google's.
        endpoint: Option<String>,
        /// The project's id.
        project: String,
        /// The location, such as `europe-west4` or `global`.
        location: String,
        /// Where tokens come from.
        token: TokenSettings,
    },
    /// A server that speaks OpenAI's chat completions.
    OpenAi {
        /// The URL of the service up to `/v1`.
        endpoint: String,
        /// The API keys, which take turns. None for a server that wants none.
        keys: Vec<Secret>,
        /// How the server is asked for an answer that fits a schema.
        structured_output: StructuredOutput,
    },
}

/// Where tokens come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSettings {
    /// A file that another program keeps up to date.
    File(PathBuf),
    /// The output of a command: its words.
    Command(Vec<String>),
}

/// The service of the Gemini API.
pub const ENDPOINT: &str = "https://generativelanguage.googleapis.com";
/// The default model: it answers within seconds.
pub const MODEL: &str = "gemini-2.5-flash";

/// How much of the time for an answer the models may take together. In the rest, what the last one did is noted.
const SHARE: f64 = 0.9;

impl ModelSettings {
    /// The routes of calls: one for each model, with a breaker. `timeout` limits an attempt, and so does the model's
    /// share of the time until the offline result is published. Without it, a model that never answers would use up all
    /// of that time: its breaker would not open, and the next model would not be asked.
    pub fn routes(&self, timeout: Duration, answer_within: Duration) -> Vec<Route> {
        let breaker = Some(BreakerPolicy::default());
        let share = answer_within.mul_f64(SHARE / self.models.len().max(1) as f64);
        let timeout = Some(timeout.min(share).max(Duration::from_millis(1)));
        let route = |model: &ModelChoice| Route { breaker: breaker.clone(), timeout, ..Route::named(&*model.name) };
        self.models.iter().map(route).collect()
    }

    /// A client of the provider.
    ///
    /// # Errors
    /// If this machine's certificates cannot be read.
    pub fn provider(&self) -> Result<Arc<dyn Provider>, SetupError> {
        Ok(match &self.provider {
            ProviderSettings::Gemini { endpoint, keys } => {
                Arc::new(Gemini::with_keys(keys.clone())?.endpoint(endpoint))
            }
            ProviderSettings::Vertex { endpoint, project, location, token } => {
                let gemini = match token {
                    TokenSettings::File(path) => Gemini::vertex(project, location, FileToken::new(path))?,
                    TokenSettings::Command(words) => {
                        let (program, arguments) = words.split_first().map_or(("", &[][..]), |(p, a)| (&**p, a));
                        Gemini::vertex(project, location, CommandToken::new(program, arguments.to_vec()))?
                    }
                };
                Arc::new(endpoint.iter().fold(gemini, |gemini, endpoint| gemini.endpoint(endpoint)))
            }
            ProviderSettings::OpenAi { endpoint, keys, structured_output } => {
                let server = OpenAi::new(endpoint)?.structured_output(*structured_output);
                Arc::new(if keys.is_empty() { server } else { server.keys(keys.clone()) })
            }
        })
    }

    /// A caller that asks these models.
    ///
    /// # Errors
    /// As [`ModelSettings::provider`].
    pub fn caller<K: Send + Sync + 'static, V: Send + Sync + 'static, R: Send + 'static>(
        &self,
        task: impl ModelTask<K, V, R>,
        runtime: Handle,
    ) -> Result<ModelCaller<K, V, R>, SetupError> {
        let provider = self.provider()?;
        let caller = ModelCaller::new(task, runtime);
        Ok(self.models.iter().zip(MODEL_SETTINGS).fold(caller, |caller, (ModelChoice { name, price }, setting)| {
            let route = ModelRoute::new(provider.clone(), name).price(*price).currency(&self.currency);
            caller.route(&**name, route.settings(self.setting_names(setting)))
        }))
    }

    /// The settings to change when the service refuses the key, or does not know the model that `model` names.
    pub fn setting_names(&self, model: &str) -> SettingNames {
        let key = match &self.provider {
            ProviderSettings::Vertex { token: TokenSettings::File(_), .. } => {
                "'analyst.vertex_token_file' or 'analyst.vertex_project'".to_owned()
            }
            ProviderSettings::Vertex { token: TokenSettings::Command(_), .. } => {
                "'analyst.vertex_token_command' or 'analyst.vertex_project'".to_owned()
            }
            ProviderSettings::Gemini { .. } | ProviderSettings::OpenAi { .. } => {
                format!("{} or 'analyst.api_key_file'", variable("analyst.api_key"))
            }
        };
        let address = match &self.provider {
            ProviderSettings::Vertex { .. } => "'analyst.vertex_location'",
            ProviderSettings::Gemini { .. } | ProviderSettings::OpenAi { .. } => "'analyst.endpoint'",
        };
        SettingNames { key, model: model.to_owned(), address: address.to_owned() }
    }
}

/// The settings of the models' names, in the order in which models are asked.
const MODEL_SETTINGS: [&str; 2] = ["'analyst.model'", "'analyst.fallback_model'"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_hangs_leaves_time_for_the_next_one() {
        let named = |name: &str| ModelChoice { name: name.to_owned(), price: Price::default() };
        let settings = |models: &[&str]| ModelSettings {
            provider: ProviderSettings::Gemini { endpoint: ENDPOINT.to_owned(), keys: Vec::new() },
            models: models.iter().copied().map(named).collect(),
            currency: "USD".to_owned(),
            tools: false,
        };
        let timeouts = |models: &[&str], timeout, within| -> Vec<_> {
            let routes = settings(models).routes(Duration::from_millis(timeout), Duration::from_millis(within));
            routes.iter().filter_map(|route| Some(route.timeout?.as_millis())).collect()
        };
        assert_eq!(timeouts(&["a"], 30_000, 30_000), [27_000]);
        assert_eq!(timeouts(&["a", "b"], 30_000, 5_000), [2_250, 2_250]);
        assert_eq!(timeouts(&["a"], 1_000, 5_000), [1_000]);
        assert_eq!(timeouts(&["a"], 1_000, 0), [1]);
    }
}
