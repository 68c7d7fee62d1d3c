//! Stores compared with a plain map, over every backend.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use common::{Kind, kinds};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tidemill_state::{ByteStore, Direction, Row, Sealed};

#[derive(Debug, Clone)]
enum Step {
    Put(Bytes, Row),
    Delete(Bytes),
    DeleteBelow(Bytes),
    SetMeta(bool, Bytes),
    Commit(Option<i64>),
    Seal,
    CommitSealed(Option<i64>),
    Rollback,
    Restore(Vec<(Bytes, Option<Row>)>, i64),
    Clear,
    Flush,
    Reopen,
}

/// What a store shows.
#[derive(Debug, Clone, Default, PartialEq)]
struct View {
    rows: BTreeMap<Bytes, Row>,
    meta: BTreeMap<&'static str, Bytes>,
    checkpoint: Option<i64>,
}

impl View {
    fn set(&mut self, key: Bytes, row: Option<Row>) {
        match row {
            Some(row) => self.rows.insert(key, row),
            None => self.rows.remove(&key),
        };
    }
}

fn key() -> impl Strategy<Value = Bytes> {
    // Few bytes, so that steps meet the same keys.
    vec(prop::sample::select(vec![0u8, 1, 0xff]), 0..3).prop_map(Bytes::from)
}

fn row() -> impl Strategy<Value = Row> {
    (any::<i64>(), vec(any::<u8>(), 0..4)).prop_map(|(timestamp, value)| Row { timestamp, value: value.into() })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (key(), row()).prop_map(|(key, row)| Step::Put(key, row)),
        5 => key().prop_map(Step::Delete),
        3 => key().prop_map(Step::DeleteBelow),
        2 => (any::<bool>(), key()).prop_map(|(name, value)| Step::SetMeta(name, value)),
        2 => any::<Option<i64>>().prop_map(Step::Commit),
        3 => Just(Step::Seal),
        3 => any::<Option<i64>>().prop_map(Step::CommitSealed),
        2 => Just(Step::Rollback),
        1 => (vec((key(), prop::option::of(row())), 0..4), any::<i64>()).prop_map(|(rows, next)| Step::Restore(rows, next)),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        1 => prop_oneof![3 => Just(Step::Flush), 1 => Just(Step::Clear)],
    ]
}

fn meta_name(first: bool) -> &'static str {
    if first { "first" } else { "second" }
}

fn view(store: &ByteStore, from: Bound<&[u8]>, to: Bound<&[u8]>) -> View {
    let forward: Vec<_> = store.scan(from, to, Direction::Forward).unwrap().map(Result::unwrap).collect();
    let mut reverse: Vec<_> = store.scan(from, to, Direction::Reverse).unwrap().map(Result::unwrap).collect();
    reverse.reverse();
    assert_eq!(forward, reverse);
    assert!(forward.is_sorted_by(|left, right| left.0 < right.0));
    let names = [true, false].map(meta_name).into_iter();
    View {
        rows: forward.into_iter().collect(),
        meta: names.filter_map(|name| Some((name, store.meta(name).unwrap()?))).collect(),
        checkpoint: store.checkpoint().unwrap(),
    }
}

fn run(kind: &Kind, steps: Vec<Step>, from: &Bytes, to: &Bytes) {
    let mut store = kind.store();
    store.clear().unwrap();
    let (mut seen, mut sealed, mut committed) = (View::default(), None, View::default());
    let mut overtaken = None;
    for step in steps {
        match step {
            Step::Put(key, row) => {
                store.put(key.clone(), row.clone());
                seen.set(key, Some(row));
            }
            Step::Delete(key) => {
                store.delete(key.clone());
                seen.set(key, None);
            }
            Step::DeleteBelow(key) => {
                store.delete_below(key.clone());
                seen.rows.retain(|existing, _| *existing >= key);
            }
            Step::SetMeta(first, value) => {
                store.set_meta(meta_name(first), value.clone());
                seen.meta.insert(meta_name(first), value);
            }
            Step::Commit(checkpoint) => {
                store.commit(checkpoint).unwrap();
                seen.checkpoint = checkpoint.or(seen.checkpoint);
                committed = seen.clone();
                overtaken = sealed.take();
            }
            Step::Seal => {
                let value = store.seal();
                overtaken = sealed.replace((value, seen.clone()));
                assert!(!store.is_dirty());
            }
            Step::CommitSealed(checkpoint) => {
                // One that says something commits nothing any more.
                if let Some((value, _)) = overtaken.take().filter(|(value, _): &(Sealed, View)| !value.is_empty()) {
                    store.commit_sealed(value, checkpoint).unwrap();
                }
                if let Some((value, view)) = sealed.take() {
                    store.commit_sealed(value, checkpoint).unwrap();
                    seen.checkpoint = checkpoint.or(seen.checkpoint);
                    committed = View { checkpoint: seen.checkpoint, ..view };
                    assert!(!store.is_sealed());
                }
            }
            Step::Rollback => {
                store.rollback();
                seen = committed.clone();
                overtaken = sealed.take();
            }
            Step::Restore(rows, next) => {
                // Only stores without uncommitted writes follow a changelog.
                store.rollback();
                store.restore(rows.clone(), vec![], next).unwrap();
                for (key, row) in rows {
                    committed.set(key, row);
                }
                committed.checkpoint = Some(next);
                (seen, sealed) = (committed.clone(), None);
            }
            Step::Clear => {
                store.clear().unwrap();
                (seen, sealed, committed) = (View::default(), None, View::default());
            }
            Step::Flush => store.flush().unwrap(),
            Step::Reopen if matches!(kind, Kind::Memory) => {}
            Step::Reopen => {
                drop(store);
                store = kind.store();
                (seen, sealed, overtaken) = (committed.clone(), None, None);
            }
        }
        assert_eq!(view(&store, Bound::Unbounded, Bound::Unbounded), seen);
        assert_eq!(store.get(from).unwrap().as_ref(), seen.rows.get(from));
        let part = view(&store, Bound::Excluded(from), Bound::Included(to)).rows;
        let expect = seen.rows.iter().filter(|(key, _)| *key > from && *key <= to);
        assert!(part.iter().eq(expect), "{part:?}");
    }
}

#[test]
fn stores_do_what_a_map_does() {
    for kind in kinds() {
        let cases = if matches!(kind, Kind::Memory) { 512 } else { 48 };
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let result = runner.run(&(vec(step(), 0..60), key(), key()), |(steps, from, to)| {
            run(&kind, steps, &from, &to);
            Ok(())
        });
        result.unwrap();
    }
}
