//! Two tables joined by their key, with and without caches: the results of each key are those of a naive join that takes
//! the updates of both sides in some order.

use std::collections::{BTreeMap, BTreeSet};

use tidemill::{
    Materialized,
    ProcessingGuarantee::{self, ExactlyOnce},
    StreamsBuilder, StreamsConfig,
    testing::Simulator,
};

use super::{
    check,
    scenario::{Input, Problem, Scenario, read},
    tables::{self, accepted, last_groups, refuse_some, table, updates, with, without},
};

/// With caches, updates may be merged.
pub(crate) struct TableJoin<const CACHED: bool>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inner,
    Left,
    Outer,
}

const KINDS: [(Kind, &str); 3] = [(Kind::Inner, "inner-out"), (Kind::Left, "left-out"), (Kind::Outer, "outer-out")];

type Id = Option<i64>;

fn text(left: Id, right: Id) -> String {
    let id = |id: Id| id.map_or_else(String::new, |id| id.to_string());
    format!("{}+{}", id(left), id(right))
}

/// Results with the same number of digits.
fn group_of(text: &str) -> String {
    format!("group-{}", text.len())
}

impl Kind {
    /// What a key has.
    fn result(self, left: Id, right: Id) -> Option<String> {
        let is_there = match self {
            Self::Inner => left.is_some() && right.is_some(),
            Self::Left => left.is_some(),
            Self::Outer => left.is_some() || right.is_some(),
        };
        is_there.then(|| text(left, right))
    }

    /// Whether an update of the left or the right side says anything, be it that the key has no result.
    fn tells(self, is_left: bool, change: [Id; 2], other: Id) -> bool {
        let may_lack_other = self == Self::Outer || self == Self::Left && is_left;
        other.is_some() || may_lack_other && change != [None; 2]
    }

    /// Whether the results are those of the updates in some order. If they may be merged, an update stands for those of
    /// its side before it, and one that ends as it began says nothing.
    fn explains(self, left: &[Id], right: &[Id], results: &[Option<String>], merged: bool) -> bool {
        let at = |side: &[Id], taken: usize| if taken == 0 { None } else { side[taken - 1] };
        let (mut reached, mut open) = (BTreeSet::new(), vec![(0, 0, 0)]);
        while let Some(place) = open.pop() {
            if !reached.insert(place) {
                continue;
            }
            let (lefts, rights, told) = place;
            let (one, other) = (at(left, lefts), at(right, rights));
            let ends = |from: usize, length: usize| from + 1..=if merged { length } else { length.min(from + 1) };
            let to_left = ends(lefts, left.len()).map(|to| (true, (to, rights), [one, at(left, to)], other));
            let to_right = ends(rights, right.len()).map(|to| (false, (lefts, to), [other, at(right, to)], one));
            for (is_left, (lefts, rights), change, of_other) in to_left.chain(to_right) {
                let silent = merged && change == [None; 2];
                if silent || !self.tells(is_left, change, of_other) {
                    open.push((lefts, rights, told));
                } else if results.get(told) == Some(&self.result(at(left, lefts), at(right, rights))) {
                    open.push((lefts, rights, told + 1));
                }
            }
        }
        reached.contains(&(left.len(), right.len(), results.len()))
    }
}

#[test]
fn table_join_exactly_once() {
    check::<TableJoin<false>>("table_join_exactly_once", ProcessingGuarantee::ExactlyOnce);
}

#[test]
fn table_join_at_least_once() {
    check::<TableJoin<false>>("table_join_at_least_once", ProcessingGuarantee::AtLeastOnce);
}

#[test]
fn cached_table_join_exactly_once() {
    check::<TableJoin<true>>("cached_table_join_exactly_once", ProcessingGuarantee::ExactlyOnce);
}

#[test]
fn cached_table_join_at_least_once() {
    check::<TableJoin<true>>("cached_table_join_at_least_once", ProcessingGuarantee::AtLeastOnce);
}

impl<const CACHED: bool> Scenario for TableJoin<CACHED> {
    const TOPICS: &'static [&'static str] = &["left", "right"];

    fn configure(config: StreamsConfig) -> StreamsConfig {
        tables::refusing(config)
    }

    fn build(builder: &StreamsBuilder) {
        let side = |topic: &'static str| {
            let kept = Materialized::named(topic);
            table(builder, topic, if CACHED { kept.with_caching() } else { kept })
        };
        let (left, right) = (side("left"), side("right"));
        left.join(&right, |_, left, right| text(Some(left), Some(right))).to_stream().to("inner-out");
        left.left_join(&right, |_, left, right| text(Some(left), right)).to_stream().to("left-out");
        let outer = left.outer_join(&right, |_, left, right| text(left, right));
        outer.to_stream().to("outer-out");
        let groups = outer.group_by("by-length", |key, text| (group_of(&text), vec![format!("{key} {text}")]));
        groups.reduce("groups", with, without).to_stream().to("groups-out");
        refuse_some(builder, "left");
        refuse_some(builder, "right");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let inputs = accepted(inputs);
        let (left, right) = (updates(&inputs, "left"), updates(&inputs, "right"));
        let keys: BTreeSet<_> = left.keys().chain(right.keys()).cloned().collect();
        let last = |side: &BTreeMap<String, Vec<Id>>, key: &String| side.get(key)?.last().copied()?;
        for (kind, topic) in KINDS {
            let mut found = BTreeMap::<String, Vec<Option<String>>>::new();
            for (key, result) in read::<String, Option<String>>(simulator, topic)? {
                found.entry(key).or_default().push(result);
            }
            for key in &keys {
                let results = found.remove(key).unwrap_or_default();
                let none = Vec::new();
                let (of_left, of_right) = (left.get(key).unwrap_or(&none), right.get(key).unwrap_or(&none));
                let expected = kind.result(last(&left, key), last(&right, key));
                let right = match guarantee {
                    ExactlyOnce => kind.explains(of_left, of_right, &results, CACHED),
                    // A thread that hung may send older updates again after another's newer ones.
                    ProcessingGuarantee::AtLeastOnce => {
                        let of = |side: &[Id]| [&[None], side].concat();
                        let (lefts, rights) = (of(of_left), of(of_right));
                        let possible = |result: &Option<String>| {
                            result.is_none()
                                || lefts
                                    .iter()
                                    .any(|one| rights.iter().any(|other| kind.result(*one, *other) == *result))
                        };
                        (expected.is_none() || results.contains(&expected)) && results.iter().all(possible)
                    }
                };
                if !right {
                    let inputs = format!("{of_left:?} and {of_right:?}");
                    return Err(format!("{topic}, {key}: {results:?} do not come of {inputs}").into());
                }
            }
            if !found.is_empty() {
                return Err(format!("{topic}: results of keys that never were: {found:?}").into());
            }
        }
        let mut expected = BTreeMap::<_, Vec<_>>::new();
        for key in &keys {
            if let Some(text) = Kind::Outer.result(last(&left, key), last(&right, key)) {
                expected.entry(group_of(&text)).or_default().push(format!("{key} {text}"));
            }
        }
        let found = last_groups(simulator, "groups-out")?;
        if guarantee == ExactlyOnce && found != expected {
            return Err(format!("groups: found {found:?}, expected {expected:?}").into());
        }
        Ok(())
    }
}
