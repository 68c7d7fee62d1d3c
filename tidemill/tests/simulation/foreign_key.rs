//! Two tables with different numbers of partitions, joined by a foreign key: the last results are those of a naive join.

use std::collections::{BTreeMap, BTreeSet};

use tidemill::{ProcessingGuarantee, StreamsBuilder, StreamsConfig, testing::Simulator};

use super::{
    check,
    scenario::{Input, Problem, Scenario, read},
    tables::{self, accepted, refuse_some, stored, table},
};

pub(crate) struct ForeignKey;

/// The foreign key of a left value. Some have none, and some refer to keys that never have a value.
fn foreign_key(id: i64) -> Option<String> {
    (id % 11 != 0).then(|| format!("key-{}", id % 7))
}

fn text(left: i64, right: Option<i64>) -> String {
    format!("{left}+{}", right.map_or_else(String::new, |right| right.to_string()))
}

#[test]
fn foreign_key_exactly_once() {
    check::<ForeignKey>("foreign_key_exactly_once", ProcessingGuarantee::ExactlyOnce);
}

#[test]
fn foreign_key_at_least_once() {
    check::<ForeignKey>("foreign_key_at_least_once", ProcessingGuarantee::AtLeastOnce);
}

impl Scenario for ForeignKey {
    const TOPICS: &'static [&'static str] = &["left", "right"];
    const PARTITIONS: &'static [(&'static str, i32)] = &[("left", 2)];

    fn configure(config: StreamsConfig) -> StreamsConfig {
        tables::refusing(config)
    }

    fn build(builder: &StreamsBuilder) {
        let (left, right) = (table(builder, "left", "left"), table(builder, "right", "right"));
        let inner =
            left.join_foreign_key(&right, "inner", |_, id| foreign_key(*id), |_, left, right| text(left, Some(right)));
        inner.to_stream().to("inner-out");
        let all =
            left.left_join_foreign_key(&right, "all", |_, id| foreign_key(*id), |_, left, right| text(left, right));
        all.to_stream().to("all-out");
        refuse_some(builder, "left");
        refuse_some(builder, "right");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let inputs = accepted(inputs);
        let last = |topic| {
            let of = inputs.iter().filter(move |input| input.topic == topic);
            of.map(|input| (input.key.clone(), stored(input.id))).collect::<BTreeMap<_, _>>()
        };
        let (left, right) = (last("left"), last("right"));
        // Whoever is paired was there, and one referred to the other.
        let is_of = |id: &str, topic: &str, key: &String| {
            inputs.iter().any(|input| input.topic == topic && input.key == *key && input.id.to_string() == id)
        };
        let may_meet = |key: &String, pair: &str| {
            let (one, other) = pair.split_once('+')?;
            let refers_to = one.parse().ok().and_then(foreign_key);
            let is_alone = other.is_empty();
            Some(is_of(one, "left", key) && (is_alone || refers_to.is_some_and(|key| is_of(other, "right", &key))))
        };
        for (topic, keeps_left) in [("inner-out", false), ("all-out", true)] {
            let mut found = BTreeMap::<String, Vec<Option<String>>>::new();
            for (key, result) in read::<String, Option<String>>(simulator, topic)? {
                found.entry(key).or_default().push(result);
            }
            for (key, id) in &left {
                let expected = id.and_then(|id| {
                    let other = foreign_key(id).and_then(|key| right.get(&key).copied().flatten());
                    (keeps_left || other.is_some()).then(|| text(id, other))
                });
                let results = found.remove(key).unwrap_or_default();
                let is_last = match guarantee {
                    ProcessingGuarantee::ExactlyOnce => results.last().cloned().flatten() == expected,
                    // A thread that hung may send older updates again after another's newer ones.
                    ProcessingGuarantee::AtLeastOnce => expected.is_none() || results.contains(&expected),
                };
                let pairs: Vec<_> = results.iter().flatten().filter(|pair| !pair.ends_with('+')).collect();
                let is_once = pairs.iter().collect::<BTreeSet<_>>().len() == pairs.len();
                if let Some(pair) = results.iter().flatten().find(|pair| may_meet(key, pair) != Some(true)) {
                    return Err(format!("{topic}, {key}: {pair} do not belong together").into());
                }
                if !is_last || guarantee == ProcessingGuarantee::ExactlyOnce && !is_once {
                    return Err(format!("{topic}, {key}: found {results:?}, expected {expected:?} at last").into());
                }
            }
            if !found.is_empty() {
                return Err(format!("{topic}: results of keys that never were: {found:?}").into());
            }
        }
        Ok(())
    }
}
