//! Records out of order, late, at equal times, without key or value, or of bytes that are no text.

use bytes::Bytes;
use tidemill::{partition_for, testing::SimulationRandom, transport::embedded::Entry};

pub(super) const PARTITIONS: i32 = 3;
const RECORDS: i64 = 40;

/// A record and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) topic: &'static str,
    pub(super) partition: i32,
    pub(super) entry: Entry,
}

impl Given {
    /// Whether it can be read as text with a key.
    pub(super) fn is_good(&self) -> bool {
        let Entry { key, value, .. } = &self.entry;
        key.is_some() && value.as_ref().is_some_and(|value| std::str::from_utf8(value).is_ok())
    }
}

pub(super) fn make_up(random: &mut SimulationRandom) -> Vec<Given> {
    let mut given = Vec::new();
    for topic in ["left", "right", "table"] {
        for id in 0..RECORDS {
            let mut timestamp = id * 12 + random.below(30) as i64;
            if random.happens(0.08) {
                timestamp = (timestamp - 150 - random.below(250) as i64).max(0);
            }
            if random.happens(0.5) {
                // The other topics have the same.
                timestamp = timestamp / 10 * 10;
            }
            let key = Bytes::from(format!("key-{}", random.below(5)));
            let mut partition = partition_for(Some(&key), PARTITIONS);
            let (mut key, mut value) = (Some(key), Some(Bytes::from(format!("{}{id}", &topic[..1]))));
            match random.below(40) {
                0 => (key, partition) = (None, random.below(PARTITIONS as u64) as i32),
                1 => value = None,
                2 => value = Some(Bytes::from_static(&[0xFF, 0xFE])),
                _ => {}
            }
            given.push(Given { topic, partition, entry: Entry { timestamp, key, value, ..Entry::default() } });
        }
    }
    given
}

/// Records so late in event time that they close all windows.
pub(super) fn closers() -> Vec<Given> {
    let closer = |(topic, partition)| {
        let entry = Entry::new(format!("closer-{partition}"), "closer", 1_000_000);
        Given { topic, partition, entry }
    };
    (0..PARTITIONS).flat_map(|partition| [("left", partition), ("right", partition)]).map(closer).collect()
}
