//! A live source, as its topic stores it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidemill::{
    murmur2,
    transport::{CleanupPolicy, TopicSpec},
};
use tidemill_chat::{Source, Url};

/// The compacted topic of sources, keyed by stream.
pub const SOURCES: &str = "live-sources";
/// The compacted topic of what the owners did with the sources, keyed by stream.
pub const POSITIONS: &str = "live-sources-positions";
/// The consumer group whose members share the sources.
pub const GROUP: &str = "live-sources";

/// What a streamer asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSource {
    /// The address of the stream.
    pub url: Url,
    /// The name of the platform.
    pub platform: String,
    /// A title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the platform should know besides the address.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
    /// What should happen.
    pub wished: Wished,
    /// Grows with each start. An owner begins anew when it grows, even after the stream had ended.
    pub run: i64,
}

/// What should happen with a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wished {
    /// Its chat is read.
    Running,
    /// Nothing is read. It goes on later where it stopped, as far as the platform keeps what was missed.
    Paused,
    /// Nothing is read any more.
    Stopped,
}

impl LiveSource {
    /// What a position belongs to: the address and the options. Another chat has other positions.
    pub fn place(&self) -> String {
        let options = serde_json::to_vec(&self.options).unwrap_or_default();
        format!("{} {:08x}", self.url, murmur2(&options))
    }

    /// The source, as platforms take it.
    pub fn source(&self) -> Source {
        Source { url: self.url.clone(), options: self.options.clone() }
    }
}

/// The topics of sources and positions.
pub fn topics(partitions: i32) -> [TopicSpec; 2] {
    [SOURCES, POSITIONS].map(|topic| TopicSpec {
        name: topic.into(),
        partitions,
        cleanup: CleanupPolicy::Compact,
        retention: None,
    })
}
