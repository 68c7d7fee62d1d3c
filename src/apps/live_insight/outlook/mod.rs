//! Predictive insight: what the next minutes of a stream will be like, and the one thing to do about it.
//!
//! [`outlook`] reads nothing but stored insights. So a prediction can be computed again at any time, and nothing has to
//! be kept to tell afterwards whether it came true: [`told`] gives every prediction of a stream with its outcome.
//!
//! - **Engagement**: the chat that is expected in the next five minutes, with a range, and the momentum.
//! - **Churn**: how many authors stopped chatting, the most active of them, and what share is expected to stop.
//! - **Promotion**: whether now is the time, and when it was best so far.
//! - **Advice**: promote, answer questions, win viewers back, end, or keep going. Each makes a claim about the chat that
//!   can be checked, and its confidence is the probability of that claim.
//!
//! A prediction is no surer than its evidence: the module `sureness` says how. No sentence is read to decide anything.
//!
//! [`Scores`] compares predictions with naive ones; `cargo run --example score_predictions` prints both.

mod advice;
mod churn;
mod claim;
mod course;
mod forecast;
mod pool;
mod prediction;
mod score;
mod sureness;
mod told;
mod trust;

#[cfg(test)]
mod tests;

pub use churn::{Churn, Stopped};
pub use claim::{Claim, Outcome, Side};
pub use prediction::{Action, Advice, Engagement, Momentum, Prediction, Promotion};
pub use score::{Advised, Compared, Scores};
pub use told::{HORIZON_MS, Outlook, Told, outlook, told};
