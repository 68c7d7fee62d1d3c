//! What the scenarios of tables share: some records delete their key, and some are refused and leave no trace.

use std::collections::BTreeMap;

use tidemill::{KTable, Materialized, RecordHandler, StreamsBuilder, StreamsConfig, testing::Simulator};

use super::scenario::{Input, Problem, read};

/// Some records delete their key.
pub(crate) fn stored(id: i64) -> Option<i64> {
    (id % 5 != 0).then_some(id)
}

/// Some records are refused by a step that is reached when all others are done. Nothing of them may remain.
pub(crate) fn refuse(id: i64) -> Result<(), String> {
    if id % 9 == 4 { Err(format!("not {id}")) } else { Ok(()) }
}

/// The records that are not refused.
pub(crate) fn accepted(inputs: &[Input]) -> Vec<Input> {
    inputs.iter().filter(|input| refuse(input.id).is_ok()).cloned().collect()
}

/// An application that goes on without the refused records.
pub(crate) fn refusing(config: StreamsConfig) -> StreamsConfig {
    StreamsConfig { processing_handler: RecordHandler::Skip, ..config }
}

/// A table of a topic. The records that close windows are not in it.
pub(crate) fn table(
    builder: &StreamsBuilder,
    topic: &str,
    materialized: impl Into<Materialized<String, i64>>,
) -> KTable<String, i64> {
    let ids = builder.stream::<String, i64>(topic).filter(|_, id| *id >= 0);
    ids.map_values(stored).to_table_with_tombstones(materialized)
}

/// Refuses some records of a topic. It must come last, behind all that the records do elsewhere.
pub(crate) fn refuse_some(builder: &StreamsBuilder, topic: &str) {
    builder.stream::<String, i64>(topic).try_peek(|_, id| refuse(*id));
}

/// The values of each key of a topic, in order.
pub(crate) fn updates<'a>(
    inputs: impl IntoIterator<Item = &'a Input>,
    topic: &str,
) -> BTreeMap<String, Vec<Option<i64>>> {
    let mut updates = BTreeMap::<_, Vec<_>>::new();
    for input in inputs.into_iter().filter(|input| input.topic == topic) {
        updates.entry(input.key.clone()).or_default().push(stored(input.id));
    }
    updates
}

/// Adds to a group.
pub(crate) fn with(all: Vec<String>, more: Vec<String>) -> Vec<String> {
    [all, more].concat()
}

/// Takes away from a group, once. What is not there shows as taken away too often.
pub(crate) fn without(mut all: Vec<String>, less: Vec<String>) -> Vec<String> {
    for one in less {
        match all.iter().position(|known| *known == one) {
            Some(at) => drop(all.remove(at)),
            None => all.push(format!("no {one}")),
        }
    }
    all
}

/// The lists of each group of a topic, in order. Exactly once, none is ever deleted: that shows as a list of its own.
pub(crate) fn groups(simulator: &Simulator, topic: &str) -> Result<BTreeMap<String, Vec<Vec<String>>>, Problem> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for (group, list) in read::<String, Option<Vec<String>>>(simulator, topic)? {
        groups.entry(group).or_default().push(list.unwrap_or_else(|| vec!["deleted".to_owned()]));
    }
    Ok(groups)
}

/// The last list of each group, sorted, without groups that were emptied.
pub(crate) fn last_groups(simulator: &Simulator, topic: &str) -> Result<BTreeMap<String, Vec<String>>, Problem> {
    let mut last = BTreeMap::new();
    for (group, mut lists) in groups(simulator, topic)? {
        if let Some(mut list) = lists.pop().filter(|list| !list.is_empty()) {
            list.sort_unstable();
            last.insert(group, list);
        }
    }
    Ok(last)
}
