//! Language models behind [`map_async`](crate::KStream::map_async) (feature `llm`).
//!
//! A [`ModelCaller`] is a [`Caller`](crate::Caller): it answers the requests of an asynchronous step with a language
//! model. It knows nothing of queues, retries, budgets and fallbacks, because the executor has those
//! ([`CallPolicy`](crate::CallPolicy)). It knows what is special about models:
//!
//! | part | job |
//! |---|---|
//! | [`Provider`] | One request to a model, one reply or an error that says what to do: [`Gemini`], [`OpenAi`]. |
//! | [`Prompt`] | The trusted text, versioned, in a TOML file. Data never becomes part of it. |
//! | [`OutputCheck`] | Holds an answer against the prompt's schema. A wrong answer gets one repair. |
//! | [`Tool`] | What a model may ask the program to do. Results are kept as steps and are not repeated. |
//! | [`Price`] | Converts tokens to money, before and after a call. |
//! | [`ModelTask`] | What an application defines: the data of a request, and the meaning of an answer. |
//!
//! ```no_run
//! use std::sync::Arc;
//! use serde_json::{Value, json};
//! use tidemill::llm::{Gemini, ModelCaller, ModelRoute, ModelTask, Price, Prompt};
//! use tidemill::{AsyncCall, CallExecutor, CallPolicy, Route};
//! # fn log() -> Arc<dyn tidemill::transport::Transport> { unimplemented!() }
//!
//! struct Grading(Prompt);
//!
//! impl ModelTask<u64, String, i64> for Grading {
//!     fn prompt(&self) -> &Prompt {
//!         &self.0
//!     }
//!     fn data(&self, _student: &u64, essay: &String) -> Value {
//!         json!({ "essay": essay })
//!     }
//!     fn answer(&self, _essay: &String, output: Value, _model: &str) -> Result<i64, String> {
//!         output["grade"].as_i64().ok_or_else(|| "grade: a whole number is missing".to_owned())
//!     }
//!     fn offline(&self, essay: &String) -> Option<i64> {
//!         Some(essay.split_whitespace().count().min(10) as i64)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let prompt = Prompt::parse(
//!     r#"
//!     name = "grading"
//!     version = 1
//!     system = "You are a fair teacher."
//!     task = "Grade the essay from 0 to 10."
//!     max_output_tokens = 200
//!     [output]
//!     type = "object"
//!     required = ["grade"]
//!     properties.grade = { type = "integer", minimum = 0, maximum = 10 }
//!     "#,
//! )?;
//! let gemini = Arc::new(Gemini::with_keys([std::env::var("GEMINI_API_KEY")?])?);
//! let flash = ModelRoute::new(gemini, "gemini-2.5-flash").price(Price::per_million(300_000, 2_500_000));
//! let caller = ModelCaller::new(Grading(prompt), tokio::runtime::Handle::current())
//!     .route("flash", flash)
//!     .offline("offline");
//!
//! let call = AsyncCall::<u64, String, i64>::named("grade");
//! let policy = CallPolicy { routes: ["flash", "offline"].map(Route::named).into(), ..CallPolicy::default() };
//! let executor = CallExecutor::spawn(&call, "school", log(), policy, caller)?;
//! # drop(executor);
//! # Ok(())
//! # }
//! ```

mod error;
mod fingerprint;
mod price;
mod reply;
mod request;
mod secret;

mod provider;

mod access;
mod http;

mod gemini;
mod openai;

mod output;
mod prompt;
mod tool;

mod details;
mod reservation;
mod span;
mod step;

mod route;
mod toolbox;

mod conversation;
mod task;
mod trial;

mod batch;
mod caller;

pub use access::{CommandToken, FileToken, StaticToken, Token, TokenError, TokenFuture, TokenSource};
pub use caller::ModelCaller;
pub use details::AnswerDetails;
pub use error::{ModelError, ModelErrorKind};
pub use gemini::Gemini;
pub use http::SetupError;
pub use openai::{OpenAi, StructuredOutput};
pub use output::{Flaws, OutputCheck};
pub use price::Price;
pub use prompt::{Prompt, PromptError};
pub use provider::{ModelFuture, Provider};
pub use reply::{Finish, ModelReply, TokenUsage};
pub use request::{ModelRequest, ModelTurn, Opaque, ToolCall, ToolChoice, ToolResult, ToolSpec, Turn};
pub use reservation::least_reservation;
pub use route::{ModelRoute, SettingNames};
pub use secret::Secret;
pub use task::ModelTask;
pub use tool::{Tool, ToolContext, ToolFuture};
pub use trial::Trial;

#[cfg(test)]
mod tests;
