//! Calls to external services (an LLM, a classifier) as an operator. Each request's result takes effect once.
//!
//! ```text
//!             task, in its transaction                     outside every transaction
//! input ──→ request: pending store + request topic ──→ executor: call, retry, give up
//!                          │                                        │
//! output ←── response: takes the pending request ←── response topic ┘
//! ```
//!
//! The request is committed together with its input record, so no request is lost and no request is invented. The
//! executor reads committed requests. After a crash it may make a call twice. The first response removes its request
//! from the pending store. A second response to the same request finds no pending request and has no effect. Records
//! never wait for a call: while a call runs or fails, the task continues to process its inputs. Only answers wait: those
//! of a lane come in the order of its requests ([`CallOrder`]), so an early answer stays with its pending request.

mod breaker;
mod call;
mod calls;
mod failure;
mod fair_queue;
pub(crate) mod ledger;
mod order;
mod policy;
mod report;
mod request;
mod usage;

mod operator;

mod executor;
mod handle;
mod journal;
mod reply;
mod stats;

pub use breaker::{BreakerPolicy, BreakerState};
pub use call::{Answered, AsyncCall};
pub use executor::{CallExecutor, CallRequest, CallSnapshot, Caller, FailedCall, RouteSnapshot};
pub use failure::{CallError, CallFailure, FailureKind, Retry};
pub use handle::CallExecutorHandle;
pub use journal::{CallRecord, CallResponse};
pub use ledger::{Limit, LimitUse, Spending, Spent};
pub(crate) use operator::{Asking, DeadLetterNode, Memory, RequestNode, ResponseNode, pending_rows};
pub use order::CallOrder;
pub use policy::{AnswerCache, Batch, CallPolicy, Route, WhenExhausted};
pub use reply::Reply;
pub use report::{AnswerSource, CallReport, InputOffset};
pub use stats::CallStats;
pub use usage::Usage;
