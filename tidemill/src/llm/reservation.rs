//! The most that an attempt may use, which limits count before it starts.

use serde_json::Value;

use super::{price::Price, prompt::Prompt};
use crate::async_op::Usage;

/// What a second try says besides the answer that it repeats.
const REPAIR_BYTES: u64 = 1_500;

/// The tools that an attempt may use.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tools {
    /// The length of their descriptions.
    pub(super) bytes: usize,
    /// How often they may be used.
    pub(super) uses: u32,
}

/// A token for every three bytes that are sent, and the most tokens of the answer, for each turn that the attempt may
/// take: the first try, the second one with twice the room, and a turn for each use of a tool.
pub(super) fn most(price: &Price, prompt: &Prompt, data: &Value, tools: Tools) -> Usage {
    let schema = prompt.schema().map_or(0, |schema| schema.to_string().len());
    let sent = (prompt.system.len() + prompt.user_turn(data).len() + schema + tools.bytes) as u64;
    let output = u64::from(prompt.max_output_tokens.unwrap_or_default());
    let turns = 2 + u64::from(tools.uses);
    // Each turn sends what was said before it.
    let repeated = (turns * (turns - 1) / 2).saturating_mul(output * 3) + REPAIR_BYTES;
    price.most(turns.saturating_mul(sent).saturating_add(repeated), (turns + 1).saturating_mul(output))
}

/// What is reserved at least for a request with this prompt, before it is asked: as if it had no data and no tools. A
/// limit that is smaller ([`Limit::fits`](crate::Limit::fits)) never lets a call through.
///
/// ```
/// use tidemill::{Limit, llm::{Price, Prompt, least_reservation}};
///
/// let prompt = "name = 'grading'\nversion = 1\nsystem = 'You teach.'\ntask = 'Grade.'\nmax_output_tokens = 400";
/// let least = least_reservation(&Prompt::parse(prompt)?, &Price::per_million(300_000, 2_500_000));
/// assert!(least.output_tokens >= 400);
/// assert!(!Limit::tokens_per_day(500).fits(&least));
/// # Ok::<(), tidemill::llm::PromptError>(())
/// ```
pub fn least_reservation(prompt: &Prompt, price: &Price) -> Usage {
    most(price, prompt, &Value::Null, Tools::default())
}
