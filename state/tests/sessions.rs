//! Sessions, over every backend.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;

use bytes::Bytes;
use common::{bytes, durable_kinds, kinds, row};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tidemill_state::{ByteSessionStore, ByteStore, Direction, Savepoint, SessionKey};

fn sessions(store: ByteStore) -> ByteSessionStore {
    ByteSessionStore::new(store, 1_000)
}

fn each(test: impl Fn(&mut ByteSessionStore)) {
    for kind in kinds() {
        test(&mut sessions(kind.store()));
    }
}

fn found(store: &ByteSessionStore, key: &str, earliest_end: i64, latest_start: i64) -> Vec<(i64, i64)> {
    let rows = store.find_sessions(key.as_bytes(), earliest_end, latest_start, Direction::Forward).unwrap();
    rows.map(|row| row.unwrap().0).map(|session| (session.start, session.end)).collect()
}

fn by_end(store: &mut ByteSessionStore, from: i64, to: i64) -> Vec<(i64, i64, Bytes)> {
    let (mut all, mut after) = (Vec::new(), None);
    while let Some(session) = store.next_by_end(from, to, after.as_ref()).unwrap() {
        all.push((session.end, session.start, session.key.clone()));
        after = Some(session);
    }
    all
}

#[test]
fn sessions_of_one_key_are_found_by_time_in_both_directions() {
    each(|store| {
        for key in ["a", "a\0", "", "b"] {
            for (start, end) in [(20, 25), (0, 5), (10, 15)] {
                store.put(key.as_bytes(), start, end, row("x"));
            }
        }
        store.commit(None).unwrap();
        store.put(b"a", 30, 300, row("y"));
        store.remove(b"a", 0, 5).unwrap();
        assert_eq!(found(store, "a", 0, i64::MAX), [(10, 15), (20, 25), (30, 300)]);
        assert_eq!(found(store, "a", 15, 20), [(10, 15), (20, 25)], "both bounds are inclusive");
        assert_eq!(found(store, "a", 16, 19), []);
        assert_eq!(found(store, "a", 26, i64::MAX), [(30, 300)]);
        assert_eq!(found(store, "a\0", -7, i64::MAX), [(0, 5), (10, 15), (20, 25)]);
        let reverse = store.find_sessions(b"a", 0, i64::MAX, Direction::Reverse).unwrap();
        assert_eq!(reverse.map(|row| row.unwrap().0.end).collect::<Vec<_>>(), [300, 25, 15]);
        assert_eq!(store.get(b"a", 30, 300).unwrap(), Some(row("y")));
        assert_eq!(store.get(b"a", 30, 301).unwrap(), None);
    });
}

#[test]
fn sessions_that_overlap_are_found_by_both_of_their_bounds() {
    each(|store| {
        for (start, end) in [(0, 1), (1, 2), (1, 5), (4, 5), (4, 6), (5, 6)] {
            store.put(b"k", start, end, row("x"));
        }
        assert_eq!(found(store, "k", 2, 4), [(1, 2), (1, 5), (4, 5), (4, 6)]);
    });
}

#[test]
fn a_lookup_of_one_key_reads_no_other_key() {
    each(|store| {
        for number in 0..200 {
            store.put(format!("k{number:03}").as_bytes(), number, number, row("x"));
            // Keys whose bytes go on as if the bounds of `k100` followed.
            store.put(&[&b"k100"[..], &number.to_be_bytes()].concat(), 0, 5, row("x"));
        }
        let (rows, next) = store.sessions_by_prefix(b"k100", None, 1).unwrap();
        assert_eq!((&*rows[0].key, rows[0].end), (&b"k100"[..], 100));
        assert!(next.is_some(), "longer keys begin with the same bytes");
        assert_eq!(found(store, "k100", 0, i64::MAX), [(100, 100)]);
    });
}

#[test]
fn the_order_of_ends_follows_every_change() {
    each(|store| {
        store.put(b"b", 0, 5, row("x"));
        store.put(b"a", 0, 5, row("x"));
        store.put(b"c", 3, 4, row("x"));
        store.commit(None).unwrap();
        assert_eq!(by_end(store, 0, 6), [(4, 3, bytes("c")), (5, 0, bytes("a")), (5, 0, bytes("b"))]);
        store.remove(b"a", 0, 5).unwrap();
        store.put(b"a", 0, 9, row("x"));
        assert_eq!(by_end(store, 0, 9), [(4, 3, bytes("c")), (5, 0, bytes("b"))]);
        assert_eq!(by_end(store, 5, 10), [(5, 0, bytes("b")), (9, 0, bytes("a"))]);
        store.rollback();
        assert_eq!(by_end(store, 5, 10), [(5, 0, bytes("a")), (5, 0, bytes("b"))]);
        store
            .restore(vec![(SessionKey { key: bytes("d"), end: 7, start: 7 }.encode_local(), Some(row("x")))], vec![], 9)
            .unwrap();
        assert_eq!(by_end(store, 6, 10), [(7, 7, bytes("d"))]);
        store.clear().unwrap();
        assert_eq!(by_end(store, 0, i64::MAX), []);
    });
}

#[test]
fn expiry_removes_by_end_and_tells_the_changelog() {
    each(|store| {
        store.put(b"a", 0, 5, row("x"));
        store.put(b"b", 0, 6, row("x"));
        store.commit(None).unwrap();
        store.put(b"c", 0, 5, row("never committed"));
        store.expire_before(6).unwrap();
        assert_eq!(by_end(store, 0, i64::MAX), [(6, 0, bytes("b"))]);
        let told: Vec<_> = store.store().uncommitted().map(|(key, row)| (key.clone(), row.is_some())).collect();
        assert_eq!(told, [(SessionKey { key: bytes("a"), end: 5, start: 0 }.encode_local(), false)]);
    });
}

#[test]
fn a_session_that_is_written_again_over_a_sealed_one_is_deleted_with_it() {
    each(|store| {
        store.put(b"a", 0, 5, row("x"));
        let sealed = store.seal();
        store.put(b"a", 0, 5, row("y"));
        store.remove(b"a", 0, 5).unwrap();
        assert_eq!(
            store.store().uncommitted().count(),
            1,
            "the sealed row reaches the changelog, so its deletion must"
        );
        store.commit_sealed(sealed, None).unwrap();
        store.commit(None).unwrap();
        assert_eq!(store.get(b"a", 0, 5).unwrap(), None);
    });
}

#[test]
fn everything_of_a_key_is_deleted() {
    each(|store| {
        for (key, end) in [("ann", 5), ("ann", 15), ("anna", 5), ("ann\0", 5)] {
            store.put(key.as_bytes(), end - 5, end, row("x"));
        }
        store.commit(None).unwrap();
        assert_eq!(store.delete_key(b"ann").unwrap(), 2);
        let left: Vec<_> = store.all().unwrap().map(|row| row.unwrap().0.key).collect();
        assert_eq!(left, [bytes("ann\0"), bytes("anna")]);
    });
}

#[test]
fn undo_returns_rows_and_the_order_of_ends() {
    each(|store| {
        store.put(b"a", 0, 5, row("x"));
        store.commit(None).unwrap();
        for read_before in [true, false] {
            if read_before {
                by_end(store, 0, 1);
            }
            store.begin_undo();
            store.put(b"b", 0, 6, row("x"));
            let savepoint = store.savepoint();
            store.remove(b"a", 0, 5).unwrap();
            store.put(b"a", 0, 7, row("x"));
            assert_eq!(by_end(store, 0, 9).len(), 2);
            store.undo_to(savepoint);
            assert_eq!(by_end(store, 0, 9), [(5, 0, bytes("a")), (6, 0, bytes("b"))]);
            store.end_undo();
            store.rollback();
        }
    });
}

#[test]
fn sessions_outlive_the_process() {
    for kind in durable_kinds() {
        let mut store = sessions(kind.store());
        store.put(b"a", 0, 5, row("x"));
        store.commit(Some(7)).unwrap();
        store.store_mut().flush().unwrap();
        drop(store);
        let mut store = sessions(kind.store());
        assert_eq!((by_end(&mut store, 0, 9).len(), store.store().checkpoint().unwrap()), (1, Some(7)));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(SessionKey),
    Remove(SessionKey),
    Expire(i64),
    Commit,
    Rollback,
    Undone(Vec<SessionKey>),
}

fn session() -> impl Strategy<Value = SessionKey> {
    let key = vec(prop::sample::select(vec![0u8, 1, 0xff]), 0..3);
    (key, 0..4i64, 0..4i64).prop_map(|(key, start, length)| SessionKey { key: key.into(), end: start + length, start })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => session().prop_map(Step::Put),
        3 => session().prop_map(Step::Remove),
        1 => (0..8i64).prop_map(Step::Expire),
        2 => Just(Step::Commit),
        1 => Just(Step::Rollback),
        2 => vec(session(), 0..4).prop_map(Step::Undone),
    ]
}

#[test]
fn a_store_of_sessions_agrees_with_a_plain_map() {
    let mut runner = TestRunner::new(Config::with_cases(200));
    let steps = vec(step(), 0..30);
    let outcome = runner.run(&steps, |steps| {
        let mut store = sessions(kinds().remove(0).store());
        let (mut now, mut committed) = (BTreeMap::new(), BTreeMap::new());
        let mut expired_before = i64::MIN;
        // What a replay of the changelog gives.
        let mut replayed = BTreeMap::new();
        for (number, step) in steps.into_iter().enumerate() {
            let value = row(&number.to_string());
            match step {
                Step::Put(at) => {
                    store.put(&at.key, at.start, at.end, value.clone());
                    if at.end >= expired_before {
                        now.insert(at, value);
                    }
                }
                Step::Remove(at) => {
                    store.remove(&at.key, at.start, at.end).unwrap();
                    now.remove(&at);
                }
                Step::Expire(end) => {
                    store.expire_before(end).unwrap();
                    now.retain(|at: &SessionKey, _| at.end >= end);
                    expired_before = expired_before.max(end);
                }
                Step::Commit => {
                    for (local, row) in store.store().uncommitted() {
                        let at = SessionKey::decode_changelog(SessionKey::local_to_changelog(local).unwrap()).unwrap();
                        match row {
                            Some(row) => replayed.insert(at, row.clone()),
                            None => replayed.remove(&at),
                        };
                    }
                    store.commit(None).unwrap();
                    committed = now.clone();
                    prop_assert_eq!(&replayed, &committed);
                }
                Step::Rollback => {
                    store.rollback();
                    (now, expired_before) = (committed.clone(), i64::MIN);
                }
                Step::Undone(all) => {
                    store.begin_undo();
                    for at in all {
                        store.put(&at.key, at.start, at.end, value.clone());
                        store.remove(&at.key, at.start, at.end + 1).unwrap();
                        store.expire_before(at.end).unwrap();
                    }
                    store.undo_to(Savepoint::default());
                    store.end_undo();
                }
            }
            let all: BTreeMap<_, _> = store.all().unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(&all, &now);
            let mut ends: Vec<_> = now.keys().map(|at| (at.end, at.start, at.key.clone())).collect();
            ends.sort();
            prop_assert_eq!(by_end(&mut store, 0, i64::MAX), ends);
            let of_key: Vec<_> = now.keys().filter(|at| at.key.is_empty() && at.end >= 2 && at.start <= 3).collect();
            prop_assert_eq!(found(&store, "", 2, 3), of_key.iter().map(|at| (at.start, at.end)).collect::<Vec<_>>());
        }
        Ok(())
    });
    outcome.unwrap();
}
