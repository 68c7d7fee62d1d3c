//! A table grouped by another key: its keys move from group to group, and so from partition to partition. What groups
//! get and lose is what the updates say, and a count, a reduction and an aggregate always agree.

use std::collections::{BTreeMap, BTreeSet};

use tidemill::{ProcessingGuarantee, StreamsBuilder, testing::Simulator};

use super::{
    check,
    scenario::{Input, Problem, Scenario, read},
    tables::{groups, table, updates, with, without},
};

pub(crate) struct GroupTable;

fn group_of(id: i64) -> String {
    format!("group-{}", id % 4)
}

/// What happened to a group.
#[derive(Debug, Default, PartialEq, Eq)]
struct Group {
    updates: usize,
    came: Vec<String>,
    went: Vec<String>,
}

impl Group {
    fn came(&mut self, id: String) {
        self.came.push(id);
        self.came.sort_unstable();
    }

    fn went(&mut self, id: String) {
        self.went.push(id);
        self.went.sort_unstable();
    }
}

#[test]
fn group_table_exactly_once() {
    check::<GroupTable>("group_table_exactly_once", ProcessingGuarantee::ExactlyOnce);
}

#[test]
fn group_table_at_least_once() {
    check::<GroupTable>("group_table_at_least_once", ProcessingGuarantee::AtLeastOnce);
}

/// What one list has that the other has not.
fn beyond<'a>(one: &'a [String], other: &[String]) -> impl Iterator<Item = String> + use<'a> {
    without(one.to_vec(), other.to_vec()).into_iter().filter(|id| one.contains(id))
}

impl Scenario for GroupTable {
    const TOPICS: &'static [&'static str] = &["in"];

    fn build(builder: &StreamsBuilder) {
        let groups = table(builder, "in", "last").group_by("by-group", |_, id| (group_of(id), vec![id.to_string()]));
        groups.count("counts").to_stream().to("counts-out");
        groups.reduce("lists", with, without).to_stream().to("lists-out");
        let id = |ids: &[String]| ids[0].parse().unwrap_or(0_i64);
        groups
            .aggregate("sums", || 0, move |_, ids, sum: &mut i64| *sum += id(&ids), move |_, ids, sum| *sum -= id(&ids))
            .to_stream()
            .to("sums-out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let (mut expected, mut present) = (BTreeMap::<String, Group>::new(), BTreeMap::<String, Vec<String>>::new());
        for ids in updates(inputs, "in").into_values() {
            for (old, new) in [None].iter().chain(&ids).zip(&ids) {
                if let Some(old) = old {
                    expected.entry(group_of(*old)).or_default().went(old.to_string());
                }
                if let Some(new) = new {
                    expected.entry(group_of(*new)).or_default().came(new.to_string());
                }
                let groups: BTreeSet<_> = old.iter().chain(new).map(|id| group_of(*id)).collect();
                for group in groups {
                    expected.entry(group).or_default().updates += 1;
                }
            }
            if let Some(id) = ids.last().copied().flatten() {
                present.entry(group_of(id)).or_default().push(id.to_string());
            }
        }
        let lists = groups(simulator, "lists-out")?;
        if guarantee == ProcessingGuarantee::AtLeastOnce {
            // Updates that come again are added again: only what is missing or made up shows.
            for (group, ids) in &present {
                let has_all = |list: &Vec<String>| ids.iter().all(|id| list.contains(id));
                if !lists.get(group).is_some_and(|lists| lists.iter().any(has_all)) {
                    return Err(format!("{group} never has all of {ids:?}: {:?}", lists.get(group)).into());
                }
            }
            let strange = lists.keys().find(|group| !expected.contains_key(*group));
            return strange.map_or(Ok(()), |group| Err(format!("{group} never was").into()));
        }
        let mut found = BTreeMap::<String, Group>::new();
        for (name, lists) in &lists {
            let group = found.entry(name.clone()).or_default();
            group.updates = lists.len();
            for (before, after) in [Vec::new()].iter().chain(lists).zip(lists) {
                beyond(after, before).for_each(|id| group.came(id));
                beyond(before, after).for_each(|id| group.went(id));
            }
        }
        if found != expected {
            return Err(format!("groups: found {found:?}, expected {expected:?}").into());
        }
        for (topic, of) in [
            ("counts-out", (|list| list.len() as i64) as fn(&Vec<String>) -> i64),
            ("sums-out", |list| list.iter().filter_map(|id| id.parse::<i64>().ok()).sum()),
        ] {
            let mut numbers = BTreeMap::<String, Vec<i64>>::new();
            for (group, number) in read::<String, i64>(simulator, topic)? {
                numbers.entry(group).or_default().push(number);
            }
            let expected: BTreeMap<_, Vec<_>> =
                lists.iter().map(|(group, lists)| (group.clone(), lists.iter().map(of).collect())).collect();
            if numbers != expected {
                return Err(format!("{topic}: found {numbers:?}, expected {expected:?}").into());
            }
        }
        Ok(())
    }
}
