//! Two tables whose updates are merged between commits, one grouped from the other: whatever is merged, the sums are
//! right.

use tidemill::{Materialized, ProcessingGuarantee, StreamsBuilder, testing::Simulator};

use super::scenario::{Ids, Input, Problem, Scenario, compare, group, read};

pub(crate) struct Caching;

fn cached<V: tidemill::state::Coded>(name: &str) -> Materialized<String, V> {
    Materialized::named(name).with_caching()
}

/// The group of a key.
fn group_of(key: &str) -> String {
    format!("group-{}", key.len() + usize::from(key.ends_with('1') || key.ends_with('3')))
}

impl Scenario for Caching {
    const TOPICS: &'static [&'static str] = &["in"];

    fn build(builder: &StreamsBuilder) {
        let ids = builder.stream::<String, i64>("in").filter(|_, id| *id >= 0).map_values(|id| vec![id]);
        let lists = ids.group_by_key().reduce(cached("lists"), |all, more| [all, more].concat());
        lists.to_stream().to("lists-out");
        let unions = lists.group_by("by-group", |key, list| (group_of(key), list));
        let unions = unions.reduce(
            cached("unions"),
            |all, list| [all, list].concat(),
            |all, list| all.into_iter().filter(|id| !list.contains(id)).collect(),
        );
        unions.to_stream().to("unions-out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        for (topic, expected) in [
            ("lists-out", group(inputs, |input| input.key.clone())),
            ("unions-out", group(inputs, |input| group_of(&input.key))),
        ] {
            let mut last = Ids::<String>::new();
            for (key, mut list) in read::<String, Vec<i64>>(simulator, topic)? {
                if guarantee == ProcessingGuarantee::AtLeastOnce {
                    list.sort_unstable();
                    list.dedup();
                }
                let longest = last.entry(key).or_default();
                // At least once, a thread that hung may send older updates again after another's newer ones.
                if guarantee == ProcessingGuarantee::ExactlyOnce || list.len() > longest.len() {
                    *longest = list;
                }
            }
            compare(topic, guarantee, last, &expected)?;
        }
        Ok(())
    }
}
