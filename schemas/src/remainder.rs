//! What a window adds to a longer time frame beyond what the window's own result shows.

use serde::{Deserialize, Serialize};

use crate::{HotTopic, UserActivity, count};

/// What a longer time frame needs of a window: who wrote, and the entries behind the short lists.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Remainder {
    /// Who wrote in the window.
    pub chatters: Chatters,
    /// The next active authors, after those in `active_users`.
    pub active_users: Vec<UserActivity>,
    /// An author in neither list wrote at most this many messages.
    #[serde(with = "count")]
    pub others_at_most: u64,
    /// The next hot topics, after those in `hot_topics`.
    pub hot_topics: Vec<HotTopic>,
}

/// A sample of authors by a hash of their ids. The same author has the same hash in every window, so that samples can
/// be united and compared. A small crowd is in the sample whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chatters {
    /// Every author whose hash is below this number is in the sample: from 1 to 2^32, which means all authors.
    #[serde(with = "count")]
    pub below: u64,
    /// The hashes, in order, each once.
    #[serde(with = "hashes")]
    pub hashes: Vec<u32>,
}

impl Chatters {
    /// The limit of a sample that has all authors.
    pub const ALL: u64 = 1 << 32;
}

/// Nobody.
impl Default for Chatters {
    fn default() -> Self {
        Self { below: Self::ALL, hashes: Vec::new() }
    }
}

/// Avro has only signed numbers.
mod hashes {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(hashes: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(hashes.iter().map(|hash| i64::from(*hash)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
        let numbers = Vec::<i64>::deserialize(deserializer)?;
        numbers.into_iter().map(u32::try_from).collect::<Result<_, _>>().map_err(de::Error::custom)
    }
}
