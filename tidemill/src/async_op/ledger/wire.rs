//! How the ledger's records are encoded.
//!
//! A key is a JSON array, so names may hold any letter: `["member"]` for the time at which a member was alive, and
//! `["member","tenant","route",hour,block]` for an entry. Hours count from 1970. Values are JSON objects. A newer version
//! may add fields under new names; readers skip names that they do not know.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{super::Usage, time::is_hour};

/// A record. Without a value it deletes what its key holds.
#[derive(Debug)]
pub(super) enum Record {
    /// A member was alive.
    Alive(Arc<str>, Option<Alive>),
    Entry(EntryKey, Option<Body>),
}

impl Record {
    /// `None` if the record cannot be understood.
    pub(super) fn parse(key: &[u8], value: Option<&[u8]>) -> Option<Self> {
        if let Ok((member,)) = serde_json::from_slice::<(String,)>(key) {
            let alive = value.map(serde_json::from_slice).transpose().ok()?;
            return Some(Self::Alive(member.into(), alive));
        }
        let key = EntryKey::parse(key)?;
        let body: Option<Body> = value.map(serde_json::from_slice).transpose().ok()?;
        body.as_ref().is_none_or(Body::is_valid).then_some(Self::Entry(key, body))
    }
}

/// Whose entry it is, and of which hour. A member opens more blocks of an hour when many attempts run, so that each
/// record stays short.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct EntryKey {
    pub(super) member: Arc<str>,
    pub(super) tenant: Arc<str>,
    pub(super) route: Arc<str>,
    pub(super) hour: i64,
    pub(super) block: u32,
}

impl EntryKey {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let key = serde_json::from_slice::<(String, String, String, i64, u32)>(bytes).ok();
        let (member, tenant, route, hour, block) = key.filter(|key| is_hour(key.3))?;
        Some(Self { member: member.into(), tenant: tenant.into(), route: route.into(), hour, block })
    }

    pub(super) fn encode(&self) -> Bytes {
        bytes_of(&(&*self.member, &*self.tenant, &*self.route, self.hour, self.block))
    }
}

/// What a member did in an hour for a tenant at a route. A later record replaces an earlier one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Body {
    /// Counts the member's records. A repeated write is known by it.
    #[serde(rename = "s")]
    pub(super) seq: u64,
    /// When it was written, by the member's clock.
    #[serde(rename = "t")]
    pub(super) at_ms: i64,
    /// The number of settled attempts.
    #[serde(rename = "n", default)]
    pub(super) calls: u64,
    /// What the settled attempts used.
    #[serde(rename = "u", default, with = "triple")]
    pub(super) used: Usage,
    /// Settled attempts of the last minutes, by the minute in which they started.
    #[serde(rename = "m", default)]
    pub(super) minutes: Vec<Rate>,
    /// Attempts that wait or run.
    #[serde(rename = "o", default)]
    pub(super) open: Vec<Open>,
}

impl Body {
    fn is_valid(&self) -> bool {
        let mut minutes = self.minutes.iter().map(|rate| rate.0).chain(self.open.iter().map(|open| open.minute));
        minutes.all(|minute| minute < 60)
    }

    pub(super) fn encode(&self) -> Bytes {
        bytes_of(self)
    }
}

/// The minute of the hour, attempts, tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rate(pub(super) u8, pub(super) u64, pub(super) u64);

/// A reservation: `[id, minute of the hour, input tokens, output tokens, micros]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u8, u64, u64, u64)", into = "(u64, u8, u64, u64, u64)")]
pub(super) struct Open {
    pub(super) id: u64,
    pub(super) minute: u8,
    pub(super) most: Usage,
}

impl From<(u64, u8, u64, u64, u64)> for Open {
    fn from((id, minute, input_tokens, output_tokens, cost_micros): (u64, u8, u64, u64, u64)) -> Self {
        Self { id, minute, most: Usage { input_tokens, output_tokens, cost_micros } }
    }
}

impl From<Open> for (u64, u8, u64, u64, u64) {
    fn from(open: Open) -> Self {
        (open.id, open.minute, open.most.input_tokens, open.most.output_tokens, open.most.cost_micros)
    }
}

/// The value under the key of a member that is alive.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Alive {
    #[serde(rename = "t")]
    pub(super) at_ms: i64,
}

impl Alive {
    pub(super) fn key(member: &str) -> Bytes {
        bytes_of(&(member,))
    }

    pub(super) fn encode(&self) -> Bytes {
        bytes_of(self)
    }
}

fn bytes_of(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("numbers, texts and lists are JSON").into()
}

/// Usage as `[input tokens, output tokens, micros]`.
mod triple {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Usage;

    pub(super) fn serialize<S: Serializer>(usage: &Usage, serializer: S) -> Result<S::Ok, S::Error> {
        (usage.input_tokens, usage.output_tokens, usage.cost_micros).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Usage, D::Error> {
        let (input_tokens, output_tokens, cost_micros) = Deserialize::deserialize(deserializer)?;
        Ok(Usage { input_tokens, output_tokens, cost_micros })
    }
}
