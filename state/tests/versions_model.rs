//! Versioned stores compared with a naive model, and with what their changelogs tell, over every backend.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use common::{Kind, kinds};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tidemill_state::{
    ByteStore, ByteVersionedStore, MemoryBackend, SealedVersions, VersionKey, VersionPut, VersionSavepoint,
    VersionedRecord,
};

const RETENTION_MS: i64 = 20;

/// Keys that begin with each other, also with the bytes of a time.
const KEYS: [&[u8]; 4] = [b"", b"a", b"ab", b"a\0\0\0\0\0\0\0\x07"];

/// A key, a time, and a value or a deletion.
type Put = (usize, i64, Option<u8>);

#[derive(Debug, Clone)]
enum Step {
    Put(Put),
    /// Puts that are undone again.
    Undone(Vec<Put>),
    Seal,
    Commit,
    Rollback,
    Reopen,
}

fn put() -> impl Strategy<Value = Put> {
    (0..KEYS.len(), -1..80_i64, prop::option::of(any::<u8>()))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => put().prop_map(Step::Put),
        1 => vec(put(), 1..4).prop_map(Step::Undone),
        2 => Just(Step::Seal),
        3 => Just(Step::Commit),
        1 => Just(Step::Rollback),
        1 => Just(Step::Reopen),
    ]
}

/// Every version that was put. It forgets nothing, and looks at times only when it is asked.
#[derive(Debug, Clone)]
struct Model {
    observed: i64,
    versions: BTreeMap<usize, BTreeMap<i64, Option<u8>>>,
}

impl Model {
    fn new() -> Self {
        Self { observed: -1, versions: BTreeMap::new() }
    }

    fn kept_from(&self) -> i64 {
        (self.observed - RETENTION_MS).max(0)
    }

    fn put(&mut self, (key, time, value): Put) -> VersionPut {
        if time < self.kept_from() {
            return VersionPut::Expired;
        }
        self.observed = self.observed.max(time);
        let versions = self.versions.entry(key).or_default();
        versions.insert(time, value);
        let next = versions.range((Bound::Excluded(time), Bound::Unbounded)).next();
        next.map_or(VersionPut::Latest, |(next, _)| VersionPut::Until(*next))
    }

    fn all(&self, key: usize) -> Vec<VersionedRecord<Option<u8>>> {
        let versions: Vec<_> = self.versions.get(&key).into_iter().flatten().collect();
        let nexts = versions.iter().skip(1).map(|(next, _)| Some(**next)).chain([None]);
        let each = versions.iter().zip(nexts);
        each.map(|((time, value), valid_to)| VersionedRecord { value: **value, timestamp: **time, valid_to }).collect()
    }

    fn as_of(&self, key: usize, as_of: i64) -> Option<VersionedRecord<Bytes>> {
        let found = self.all(key).into_iter().rfind(|version| version.timestamp <= as_of)?;
        visible(found, |valid_to| valid_to.is_none() || as_of >= self.kept_from())
    }

    fn history(&self, key: usize, from: i64, to: i64) -> Vec<VersionedRecord<Bytes>> {
        let within = |version: &VersionedRecord<_>| {
            version.timestamp <= to && version.valid_to.is_none_or(|valid_to| valid_to > from)
        };
        let kept = |valid_to: Option<i64>| valid_to.is_none_or(|valid_to| valid_to > self.kept_from());
        self.all(key).into_iter().filter(within).filter_map(|version| visible(version, kept)).collect()
    }
}

fn visible(version: VersionedRecord<Option<u8>>, kept: impl Fn(Option<i64>) -> bool) -> Option<VersionedRecord<Bytes>> {
    let VersionedRecord { value, timestamp, valid_to } = version;
    let value = Bytes::from(vec![value.filter(|_| kept(valid_to))?]);
    Some(VersionedRecord { value, timestamp, valid_to })
}

/// A changelog's record: key, value, time.
type Logged = (Bytes, Option<Bytes>, i64);

fn uncommitted(store: &ByteVersionedStore) -> Vec<Logged> {
    let rows = store.store().uncommitted().map(|(local, row)| {
        let VersionKey { key, timestamp } = VersionKey::decode(local.clone()).unwrap();
        (key, VersionKey::value(row.expect("nothing is deleted")).cloned(), timestamp)
    });
    rows.collect()
}

fn open(kind: &Kind) -> ByteVersionedStore {
    ByteVersionedStore::new(kind.store(), RETENTION_MS).unwrap()
}

fn replayed(changelog: &[Logged]) -> ByteVersionedStore {
    let store = ByteStore::new("store", Box::new(MemoryBackend::new()));
    let mut store = ByteVersionedStore::new(store, RETENTION_MS).unwrap();
    for record in changelog.chunks(3) {
        let row = |(key, value, time): &Logged| VersionKey::from_changelog(key, value.clone(), *time).unwrap();
        let rows = record.iter().map(row).map(|(local, row)| (local, Some(row))).collect();
        store.restore(rows, 0).unwrap();
    }
    store
}

fn compare(store: &ByteVersionedStore, model: &Model, every: usize) {
    assert_eq!(store.kept_from(), model.kept_from());
    for (at, key) in KEYS.iter().enumerate() {
        assert_eq!(store.get(key).unwrap(), model.as_of(at, i64::MAX), "{key:?}");
        for time in (-2..90).step_by(every).chain([i64::MIN, i64::MAX]) {
            assert_eq!(store.get_as_of(key, time).unwrap(), model.as_of(at, time), "{key:?} as of {time}");
        }
        for (from, to) in [(i64::MIN, i64::MAX), (10, 10), (30, 50), (50, 30)] {
            assert_eq!(store.history(key, from, to).unwrap(), model.history(at, from, to), "{key:?} {from}..={to}");
        }
    }
}

fn run(kind: &Kind, steps: Vec<Step>) {
    let (mut store, mut model) = (open(kind), Model::new());
    let (mut committed, mut changelog) = (model.clone(), Vec::new());
    let mut sealed: Option<(SealedVersions, Model, Vec<Logged>)> = None;
    for step in steps {
        let put = |store: &mut ByteVersionedStore, (key, time, value): Put| {
            store.put(KEYS[key], value.map(|value| vec![value].into()), time).unwrap()
        };
        match step {
            Step::Put(version) => assert_eq!(put(&mut store, version), model.put(version)),
            Step::Undone(versions) => {
                store.begin_undo();
                for version in versions {
                    let _ = put(&mut store, version);
                }
                store.undo_to(VersionSavepoint::default());
                store.end_undo();
            }
            Step::Seal if sealed.is_none() => {
                let logged = uncommitted(&store);
                sealed = Some((store.seal(), model.clone(), logged));
            }
            Step::Seal | Step::Commit => {
                if let Some((versions, then, logged)) = sealed.take() {
                    store.commit_sealed(versions, None).unwrap();
                    changelog.extend(logged);
                    committed = then;
                } else {
                    changelog.extend(uncommitted(&store));
                    store.commit(None).unwrap();
                    committed = model.clone();
                }
            }
            Step::Rollback => {
                sealed = None;
                store.rollback();
                model = committed.clone();
            }
            Step::Reopen if !matches!(kind, Kind::Memory) => {
                sealed = None;
                drop(store);
                store = open(kind);
                model = committed.clone();
            }
            Step::Reopen => {}
        }
        compare(&store, &model, 7);
    }
    compare(&store, &model, 1);
    if let Some((versions, _, logged)) = sealed.take() {
        store.commit_sealed(versions, None).unwrap();
        changelog.extend(logged);
    }
    changelog.extend(uncommitted(&store));
    store.commit(None).unwrap();
    let again = replayed(&changelog);
    compare(&again, &model, 1);
    assert_eq!(again.visible_rows().unwrap(), store.visible_rows().unwrap());
    let last: BTreeMap<_, _> = changelog.iter().map(|(key, value, time)| (key, (value, time))).collect();
    let compacted: Vec<_> = last.into_iter().map(|(key, (value, time))| (key.clone(), value.clone(), *time)).collect();
    let compacted = replayed(&compacted);
    for key in KEYS {
        assert_eq!(compacted.get(key).unwrap(), store.get(key).unwrap(), "compaction keeps the latest version");
    }
}

#[test]
fn a_versioned_store_is_like_a_model_that_forgets_nothing() {
    for cases in kinds().iter().map(|kind| if matches!(kind, Kind::Memory) { 150 } else { 20 }).enumerate() {
        let mut runner = TestRunner::new(Config { cases: cases.1, ..Config::default() });
        let steps = vec(step(), 0..60);
        let one = |steps| {
            run(&kinds()[cases.0], steps);
            Ok(())
        };
        runner.run(&steps, one).unwrap();
    }
}

/// A replay reads the deletion, then the key that moves the time, and the older version last.
#[test]
fn a_deletion_is_replayed_before_an_older_version() {
    let steps = [(2, 59, None), (2, 60, None), (2, 40, Some(0)), (0, 40, None), (0, 79, None)].map(Step::Put);
    let steps = [&steps[..1], &[Step::Seal], &steps[1..]].concat();
    for kind in kinds() {
        run(&kind, steps.clone());
    }
}
