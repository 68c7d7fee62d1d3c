//! Updates that are held back: until a time limit in buffers that are too small, and until windows and sessions close.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tidemill::{
    BufferConfig,
    ProcessingGuarantee::{self, ExactlyOnce},
    SessionWindows, StreamsBuilder, StreamsConfig, Suppressed, Windowed, partition_for,
    testing::Simulator,
};

use super::{
    check,
    scenario::{Ids, Input, Problem, Scenario, compare, group, place, read, start_of, windows},
    sessions::{GAP, sessions},
    tables::{self, accepted, last_groups, refuse_some, stored, updates, with, without},
};

/// Partitions of each topic of a simulation.
const PARTITIONS: i32 = 3;

/// How long updates wait, and for how many keys there is room.
const WAITS: [(i64, usize, &str); 2] = [(15, 1, "briefly"), (150, 3, "long")];

pub(crate) struct Suppress;

fn ms(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}

fn group_of(id: i64) -> String {
    format!("group-{}", id % 3)
}

#[test]
fn suppress_exactly_once() {
    check::<Suppress>("suppress_exactly_once", ProcessingGuarantee::ExactlyOnce);
}

#[test]
fn suppress_at_least_once() {
    check::<Suppress>("suppress_at_least_once", ProcessingGuarantee::AtLeastOnce);
}

impl Scenario for Suppress {
    const TOPICS: &'static [&'static str] = &["in"];

    fn configure(config: StreamsConfig) -> StreamsConfig {
        tables::refusing(config)
    }

    fn build(builder: &StreamsBuilder) {
        let ids = builder.stream::<String, i64>("in");
        let table = ids.map_values(stored).to_table_with_tombstones("last");
        for (wait_ms, records, name) in WAITS {
            let wait =
                Suppressed::until_time_limit(ms(wait_ms), BufferConfig::max_records(records).emit_early_when_full());
            let held = table.suppress(name, wait);
            held.to_stream().to(format!("{name}-out").as_str());
            let groups = held
                .filter(|_, id| *id >= 0)
                .group_by(format!("by-group-{name}").as_str(), |key, id| (group_of(id), vec![format!("{key} {id}")]));
            let groups = groups.reduce(format!("groups-{name}").as_str(), with, without);
            groups.to_stream().to(format!("groups-{name}-out").as_str());
        }
        let closed = || Suppressed::until_window_closes(BufferConfig::unbounded());
        let add = |_: &String, id: i64, list: &mut Vec<i64>| list.push(id);
        let lists = ids.group_by_key().windowed_by(windows()).aggregate("lists", Vec::new, add);
        let lists = lists.suppress("final-lists", closed()).to_stream();
        lists.to("lists-out");
        // So much that not all windows that close together come out in one turn.
        lists.map_values(|_| "x".repeat(400_000)).to("padding-out");
        let sessions = SessionWindows::of_inactivity_gap_and_grace(ms(GAP), ms(100));
        let visits = ids.group_by_key().windowed_by(sessions);
        let visits = visits.aggregate("visits", Vec::new, add, |_, one, other| [one, other].concat());
        visits.suppress("final-visits", closed()).to_stream().to("visits-out");
        refuse_some(builder, "in");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let inputs = accepted(inputs);
        let windows = group(&inputs, |input| (input.key.clone(), start_of(input.timestamp)));
        for (topic, expected) in [("lists-out", windows), ("visits-out", sessions(&inputs))] {
            let (mut found, mut times) = (Ids::new(), BTreeMap::<_, u32>::new());
            for (key, list) in read::<Windowed<String>, Vec<i64>>(simulator, topic)? {
                if let Some(place) = place(&key) {
                    *times.entry(place.clone()).or_default() += 1;
                    found.entry(place).or_default().extend(list);
                }
            }
            if guarantee == ProcessingGuarantee::AtLeastOnce {
                // Of a session that grew while its task crashed, what it was before may come out too.
                let is_part = |place: &(String, i64), ids: &Vec<i64>| {
                    let of_key = expected.iter().filter(|((key, _), _)| *key == place.0);
                    of_key.into_iter().any(|(_, all)| ids.iter().all(|id| all.contains(id)))
                };
                found.retain(|place, ids| expected.contains_key(place) || !is_part(place, ids));
            }
            compare(topic, guarantee, found, &expected)?;
            if let Some(twice) = times.iter().find(|(_, times)| guarantee == ExactlyOnce && **times > 1) {
                return Err(format!("{topic}: more than one result: {twice:?}").into());
            }
        }
        let updates = updates(&inputs, "in");
        let mut groups = BTreeMap::<_, Vec<_>>::new();
        for (key, ids) in &updates {
            if let Some(id) = ids.last().copied().flatten() {
                groups.entry(group_of(id)).or_default().push(format!("{key} {id}"));
            }
        }
        for (wait_ms, records, name) in WAITS {
            let mut found = BTreeMap::<String, Vec<Option<i64>>>::new();
            for (key, id) in read::<String, Option<i64>>(simulator, &format!("{name}-out"))? {
                found.entry(key).or_default().push(id);
            }
            found.retain(|key, _| key.starts_with("key-"));
            if guarantee == ExactlyOnce {
                let expected = let_out(&inputs, wait_ms, records);
                if found != expected {
                    return Err(format!("{name}: found {found:?}, expected {expected:?}").into());
                }
                let found = last_groups(simulator, &format!("groups-{name}-out"))?;
                if found != groups {
                    return Err(format!("groups of {name}: found {found:?}, expected {groups:?}").into());
                }
            }
            // Which updates are merged may differ when they come again, but the last one comes out.
            for (key, ids) in &updates {
                let found = found.remove(key).unwrap_or_default();
                if ids.last().is_some_and(|last| !found.contains(last)) || found.iter().any(|id| !ids.contains(id)) {
                    return Err(format!("{name}, {key}: found {found:?} of {ids:?}").into());
                }
            }
            if !found.is_empty() {
                return Err(format!("{name}: updates of keys that never were: {found:?}").into());
            }
        }
        Ok(())
    }
}

/// What each partition lets out, record by record.
fn let_out(inputs: &[Input], wait_ms: i64, records: usize) -> BTreeMap<String, Vec<Option<i64>>> {
    let mut out = BTreeMap::<String, Vec<Option<i64>>>::new();
    for partition in 0..PARTITIONS {
        let (mut since, mut held) = (BTreeSet::<(i64, &str)>::new(), BTreeMap::<&str, Option<i64>>::new());
        let mut now_ms = -1;
        for Input { key, id, timestamp, .. } in inputs {
            if partition_for(Some(key.as_bytes()), PARTITIONS) != partition {
                continue;
            }
            now_ms = now_ms.max(*timestamp);
            if held.insert(key, stored(*id)).is_none() {
                since.insert((*timestamp, key));
            }
            while let Some(first) = since.first().copied() {
                if first.0 > now_ms - wait_ms && held.len() <= records {
                    break;
                }
                since.remove(&first);
                out.entry(first.1.to_owned()).or_default().extend(held.remove(first.1));
            }
        }
        // The record that comes last in each partition lets everything out.
        for (key, id) in held {
            out.entry(key.to_owned()).or_default().push(id);
        }
    }
    out
}
