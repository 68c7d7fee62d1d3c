//! Calls to the outside world (an LLM, a classifier) as an operator whose effect lands once.
//!
//! ```text
//!             task, in its transaction                     outside every transaction
//! input ──→ request: pending store + request topic ──→ executor: call, retry, give up
//!                          │                                        │
//! output ←── response: takes the pending request ←── response topic ┘
//! ```
//!
//! The request is committed together with the input it came from, so that none is lost and none is made up.
//! The executor reads committed requests and may make a call twice after a crash. The response meets its request in
//! the pending store and takes it away: a second response of the same request finds nothing and has no effect.
//! Records never wait for a call: while one takes its time, or fails, the task goes on with its inputs.

mod call;
mod failure;
mod policy;
mod request;

mod operator;

mod executor;
mod handle;
mod progress;
mod reply;

pub use call::{Answered, AsyncCall};
pub use executor::{CallExecutor, CallRequest, Caller};
pub use failure::{CallError, CallFailure, FailureKind, Retry};
pub use handle::{CallExecutorHandle, CallStats};
pub(crate) use operator::{RequestNode, ResponseNode};
pub use policy::CallPolicy;
pub use reply::Reply;
pub(crate) use request::pending_rows;
