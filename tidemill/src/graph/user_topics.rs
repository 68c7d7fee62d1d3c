//! The topics that users name, and patterns of topics.

use super::NodeKind;
use crate::transport::Topic;

impl NodeKind {
    /// Whether the node reads topics.
    pub(crate) fn is_source(&self) -> bool {
        self.reads().is_some() || matches!(self, Self::PatternSource(_) | Self::GlobalSource(_))
    }

    /// The topics that the user names here and that must exist.
    pub(crate) fn user_topics(&self) -> &[Topic] {
        match self {
            Self::Source(topic) | Self::Sink(topic) | Self::GlobalSource(topic) => std::slice::from_ref(topic),
            Self::SinkByRecord(topics) => topics,
            _ => &[],
        }
    }

    /// Whether the node may write any topic.
    pub(crate) fn writes_any(&self) -> bool {
        matches!(self, Self::SinkByRecord(topics) if topics.is_empty())
    }
}

/// A pattern that matches whole names, as `Pattern.matcher(topic).matches()` does in Kafka Streams.
pub(crate) fn whole_pattern(pattern: &str) -> Result<regex::Regex, regex::Error> {
    // A pattern such as "a)|(b" would be complete only inside the parentheses.
    regex::Regex::new(pattern)?;
    regex::Regex::new(&format!("^(?:{pattern})$"))
}
