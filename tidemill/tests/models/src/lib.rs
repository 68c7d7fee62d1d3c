//! A local stand-in for model providers, for tests and demos.
//!
//! It speaks the protocols of Gemini (also in Vertex AI's form) and of servers that are compatible with `OpenAI`. Its
//! answers fit the schema that a request asks for, and are always the same for the same request. A [`Schedule`] says how
//! slow it is and which faults strike: a fault is a function of the seed, the request's id and how often this id was
//! asked, so that a run can be repeated. It logs every call and keeps the bill.
//!
//! ```
//! use tidemill_model_server::{ModelServer, Rates, Schedule};
//!
//! let models = ModelServer::start(Schedule {
//!     seed: 7,
//!     rates: Rates { rate_limited: 0.1, cut: 0.05, ..Rates::default() },
//!     ..Schedule::default()
//! });
//! let url = format!("{}/v1/chat/completions", models.url());
//! // … give `url` to the client under test …
//! # let _ = url;
//! assert_eq!(models.bill().billed_calls, 0);
//! ```
//!
//! # Ids
//!
//! A request's id is its header `x-request-id`, or `idempotency-key`, or a hash of its model and body. A client that
//! wants the same faults in each run sends an id that does not depend on time, and the same one when it tries again.
//!
//! # Tokens
//!
//! The tokens of a text are its characters divided by four, rounded up ([`tokens`]). A prompt's texts are counted
//! together: instructions, messages, arguments and results of tools as compact JSON, and the declarations of tools. An
//! answer's are its texts, or the names and arguments of the tools that it asks for, and its thoughts. What is billed is
//! exactly what the answer says it used, also if the answer does not arrive whole.

mod asked;
mod delivery;
mod desk;
mod dialect;
mod draw;
mod gemini;
mod key;
mod ledger;
mod listener;
mod model;
mod openai;
mod refusal;
mod reply;
mod routes;
mod schedule;
mod schema;
mod server;
mod tokens;
mod visit;

pub use ledger::{Bill, Call, Outcome, Sum};
pub use schedule::{Fault, Hint, Latency, Outage, Price, Quota, Rates, Schedule};
pub use server::ModelServer;
pub use tokens::tokens;
