//! Chooses dead letters.

use bytes::Bytes;

use super::DeadLetter;

/// Which dead letters are listed. The default is all that were not replayed.
///
/// ```
/// use tidemill::dead_letters::DeadLetterFilter;
///
/// let filter = DeadLetterFilter { operator: Some("parse".into()), limit: Some(10), ..DeadLetterFilter::default() };
/// assert!(!filter.with_replayed);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLetterFilter {
    /// Only records of this topic.
    pub from_topic: Option<String>,
    /// Only errors of this operator.
    pub operator: Option<String>,
    /// Only errors whose message contains this text.
    pub error: Option<String>,
    /// Only records with this key, as bytes.
    pub key: Option<Bytes>,
    /// Only records from this timestamp on, in milliseconds since the epoch.
    pub from_ms: Option<i64>,
    /// Only records before this timestamp, in milliseconds since the epoch.
    pub to_ms: Option<i64>,
    /// Also letters that were replayed.
    pub with_replayed: bool,
    /// The most letters; `None` for all.
    pub limit: Option<usize>,
}

impl DeadLetterFilter {
    pub(super) fn matches(&self, letter: &DeadLetter) -> bool {
        let from_topic = letter.from.as_ref().map(|from| &*from.partition.topic);
        self.from_topic.as_deref().is_none_or(|topic| from_topic == Some(topic))
            && self.operator.as_ref().is_none_or(|operator| letter.operator.as_ref() == Some(operator))
            && self.error.as_ref().is_none_or(|text| letter.error.contains(text.as_str()))
            && self.key.as_ref().is_none_or(|key| letter.key.as_ref() == Some(key))
            && self.from_ms.is_none_or(|from| letter.timestamp >= from)
            && self.to_ms.is_none_or(|to| letter.timestamp < to)
            && (self.with_replayed || !letter.replayed)
    }
}
