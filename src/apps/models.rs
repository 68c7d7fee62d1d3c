//! The models that may turn windows into results: which provider, which models, what they cost.

use std::{path::PathBuf, sync::Arc};

use tidemill::{
    BreakerPolicy, Route,
    llm::{
        CommandToken, FileToken, Gemini, ModelCaller, ModelRoute, ModelTask, OpenAi, Price, Provider, Secret,
        SetupError, StructuredOutput,
    },
};
use tokio::runtime::Handle;

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

impl ModelSettings {
    /// The routes of calls: one for each model, with a breaker.
    pub fn routes(&self) -> Vec<Route> {
        let breaker = Some(BreakerPolicy::default());
        self.models.iter().map(|model| Route { breaker: breaker.clone(), ..Route::named(&*model.name) }).collect()
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
        Ok(self.models.iter().fold(caller, |caller, ModelChoice { name, price }| {
            let route = ModelRoute::new(provider.clone(), name).price(*price).currency(&self.currency);
            caller.route(&**name, route)
        }))
    }
}
