//! What a report tells about a model's answer.

use serde::{Deserialize, Serialize};

/// How a model came to its answer. [`CallReport::details`](crate::CallReport::details) has it as JSON.
///
/// ```
/// use tidemill::llm::AnswerDetails;
///
/// let details = AnswerDetails { prompt: "live-insight".into(), version: 3, repaired: true, ..AnswerDetails::default() };
/// let json = serde_json::to_string(&details)?;
/// assert_eq!(json, r#"{"prompt":"live-insight","version":3,"hash":"","model":"","repaired":true}"#);
/// assert_eq!(AnswerDetails::parse(&json), Some(details));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AnswerDetails {
    /// The prompt's name.
    pub prompt: String,
    /// The prompt's version.
    pub version: u32,
    /// The prompt's hash, its first twelve digits.
    pub hash: String,
    /// The exact model that answered, or its name if the provider does not tell. `offline` if none was asked.
    pub model: String,
    /// The currency of the cost, if the route tells one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub currency: String,
    /// The provider's id of the answer.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub response_id: String,
    /// Why the model stopped.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub finish: String,
    /// Whether the answer needed a second try: it was cut, or it did not fit the schema.
    #[serde(skip_serializing_if = "is_false")]
    pub repaired: bool,
    /// How often tools were used, kept steps included.
    #[serde(skip_serializing_if = "is_zero")]
    pub tool_calls: u32,
    /// Whether the usage was estimated, because the provider told none.
    #[serde(skip_serializing_if = "is_false")]
    pub estimated_usage: bool,
    /// How many requests shared the prompt, if more than one.
    #[serde(skip_serializing_if = "is_zero")]
    pub batch: u32,
}

impl AnswerDetails {
    /// Reads the details of a report. `None` if something else wrote them. See the example of [`AnswerDetails`].
    pub fn parse(details: &str) -> Option<Self> {
        serde_json::from_str(details).ok()
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}
