//! The ledger's topic, read without the library's own code: its format is a promise to later versions.

use std::collections::BTreeMap;

use tidemill::{Usage, transport::ConsumedRecord};

use crate::{Tested, journal::Executor};

/// A reservation: the request's fingerprint, and the most that its attempt may use.
pub(crate) type Open = (u64, Usage);

/// What one executor did for one route in one hour.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Entry {
    pub(crate) calls: u64,
    pub(crate) used: Usage,
    pub(crate) open: Vec<Open>,
}

/// Whose entry it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    pub(crate) member: String,
    pub(crate) executor: Executor,
    pub(crate) route: String,
    pub(crate) hour: i64,
    block: u32,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Spent {
    pub(crate) entries: BTreeMap<Owner, Entry>,
    /// Every reservation that ever was in the topic, by the request's fingerprint: the executors that had it.
    pub(crate) reserved: BTreeMap<u64, Vec<Executor>>,
}

impl Spent {
    pub(crate) fn read(records: &[(i32, ConsumedRecord)]) -> Tested<Self> {
        let mut spent = Self::default();
        for (_, record) in records {
            let key = record.key.as_deref().ok_or("a record of the ledger has no key")?;
            let Ok((member, tenant, route, hour, block)) =
                serde_json::from_slice::<(String, String, String, i64, u32)>(key)
            else {
                continue;
            };
            let (life, number) = tenant.split_once('.').ok_or("a tenant that is no executor")?;
            let executor = (life.parse()?, number.parse()?);
            let owner = Owner { member, executor, route, hour, block };
            let Some(value) = &record.value else {
                spent.entries.remove(&owner);
                continue;
            };
            let value: serde_json::Value = serde_json::from_slice(value)?;
            let usage = |numbers: &[u64]| Usage {
                input_tokens: numbers[0],
                output_tokens: numbers[1],
                cost_micros: numbers[2],
            };
            let used: Vec<u64> = serde_json::from_value(value["u"].clone())?;
            let open: Vec<Vec<u64>> = serde_json::from_value(value["o"].clone())?;
            let open: Vec<Open> = open.iter().map(|numbers| (numbers[0], usage(&numbers[2..]))).collect();
            for (fingerprint, _) in &open {
                let executors = spent.reserved.entry(*fingerprint).or_default();
                if !executors.contains(&owner.executor) {
                    executors.push(owner.executor);
                }
            }
            let calls = value["n"].as_u64().ok_or("an entry without its number of calls")?;
            spent.entries.insert(owner, Entry { calls, used: usage(&used), open });
        }
        Ok(spent)
    }

    /// What these entries have settled, and what is open in them.
    pub(crate) fn sum(&self, of: impl Fn(&Owner) -> bool) -> Entry {
        let mut sum = Entry::default();
        for (_, entry) in self.entries.iter().filter(|(owner, _)| of(owner)) {
            sum.calls += entry.calls;
            sum.used += entry.used;
            sum.open.extend(&entry.open);
        }
        sum
    }
}

impl Entry {
    /// The most that all of it can have cost.
    pub(crate) fn most(&self) -> Usage {
        self.used + self.open.iter().map(|(_, most)| *most).sum()
    }
}

/// How the ledger names a request: FNV-1a of its partition and its id.
pub(crate) fn fingerprint(partition: i32, id: &[u8]) -> u64 {
    let bytes = partition.to_be_bytes();
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().chain(id).fold(0xcbf2_9ce4_8422_2325, mix)
}
