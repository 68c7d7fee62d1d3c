//! Versioned stores: what is kept, and what is dropped.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use bytes::Bytes;
use common::{Kind, bytes, kinds};
use std::ops::Bound;
use tidemill_state::{ByteVersionedStore, Direction, VersionKey, VersionPut};

const HOUR_MS: i64 = 3_600_000;

fn each(test: impl Fn(&mut ByteVersionedStore)) {
    for kind in kinds() {
        test(&mut open(&kind));
    }
}

fn open(kind: &Kind) -> ByteVersionedStore {
    ByteVersionedStore::new(kind.store(), HOUR_MS).unwrap()
}

fn rows(store: &ByteVersionedStore) -> usize {
    store.store().scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap().count()
}

fn as_of(store: &ByteVersionedStore, key: &str, time: i64) -> Option<Bytes> {
    store.get_as_of(key.as_bytes(), time).unwrap().map(|version| version.value)
}

#[test]
fn the_latest_version_never_expires_and_earlier_ones_do() {
    each(|store| {
        store.put(b"tea", Some(bytes("3")), 1_000).unwrap();
        store.put(b"tea", Some(bytes("4")), 2_000).unwrap();
        store.put(b"jam", Some(bytes("5")), 2_000 + HOUR_MS).unwrap();
        assert_eq!(as_of(store, "tea", 1_999), None, "1999 is before the history");
        assert_eq!(as_of(store, "tea", 2_000), Some(bytes("4")));
        store.put(b"jam", Some(bytes("6")), 50 * HOUR_MS).unwrap();
        assert_eq!(store.get(b"tea").unwrap().unwrap().value, bytes("4"));
        assert_eq!(as_of(store, "tea", 3_000), Some(bytes("4")), "it was the latest version then, too");
    });
}

#[test]
fn the_last_moment_of_the_grace_still_counts() {
    each(|store| {
        store.put(b"tea", Some(bytes("3")), 10 * HOUR_MS).unwrap();
        assert_eq!(store.put(b"jam", Some(bytes("4")), 9 * HOUR_MS - 1).unwrap(), VersionPut::Expired);
        assert_eq!(store.put(b"jam", Some(bytes("5")), 9 * HOUR_MS).unwrap(), VersionPut::Latest);
        assert_eq!(store.put(b"jam", Some(bytes("6")), -1).unwrap(), VersionPut::Expired);
        assert_eq!(store.get(b"jam").unwrap().unwrap().value, bytes("5"));
    });
}

#[test]
fn a_version_that_is_left_out_moves_no_time() {
    each(|store| {
        store.put(b"tea", Some(bytes("3")), 10 * HOUR_MS).unwrap();
        store.put(b"tea", None, 0).unwrap();
        assert_eq!((store.observed_ms(), store.store().uncommitted().count()), (10 * HOUR_MS, 1));
    });
}

#[test]
fn deletions_before_other_versions_end_only_what_was_before_them() {
    each(|store| {
        store.put(b"tea", Some(bytes("3")), 1_000).unwrap();
        store.put(b"tea", Some(bytes("4")), 5_000).unwrap();
        assert_eq!(store.put(b"tea", None, 3_000).unwrap(), VersionPut::Until(5_000));
        assert_eq!(as_of(store, "tea", 2_999), Some(bytes("3")));
        assert_eq!(as_of(store, "tea", 4_000), None);
        assert_eq!(as_of(store, "tea", 5_000), Some(bytes("4")));
    });
}

#[test]
fn commits_drop_what_nobody_can_see_also_of_keys_that_rest() {
    each(|store| {
        for time in 0..50 {
            store.put(b"rests", Some(bytes("1")), time).unwrap();
            store.put(b"deleted", (time < 49).then(|| bytes("1")), time).unwrap();
        }
        store.commit(None).unwrap();
        assert_eq!(rows(store), 100);
        for hour in 2..20 {
            store.put(b"busy", Some(bytes("2")), hour * HOUR_MS).unwrap();
            store.commit(None).unwrap();
        }
        // Of the busy key, the history and the version at its beginning; of the one that rests, the latest version.
        assert_eq!(rows(store), 3);
        assert_eq!(store.get(b"rests").unwrap().unwrap().timestamp, 49);
        assert_eq!(store.get(b"deleted").unwrap(), None);
    });
}

#[test]
fn the_observed_time_survives_closing_and_restoring() {
    for kind in common::durable_kinds() {
        let mut store = open(&kind);
        store.put(b"tea", Some(bytes("3")), 10 * HOUR_MS).unwrap();
        store.commit(Some(1)).unwrap();
        drop(store);
        let mut store = open(&kind);
        assert_eq!(store.put(b"jam", Some(bytes("4")), HOUR_MS).unwrap(), VersionPut::Expired);
        store.clear().unwrap();
        assert_eq!(store.observed_ms(), -1);
    }
}

#[test]
fn a_restore_keeps_a_deletion_before_which_an_older_version_may_still_come() {
    each(|store| {
        let version = |key: &[u8], value, time| {
            let (local, row) = VersionKey::from_changelog(key, value, time).unwrap();
            (local, Some(row))
        };
        // One commit had all three, in this order, although the deletion of tea was put last.
        store.restore(vec![version(b"tea", None, 2), version(b"a", Some(bytes("9")), HOUR_MS + 2)], 2).unwrap();
        store.restore(vec![version(b"tea", Some(bytes("3")), 1)], 3).unwrap();
        assert_eq!(as_of(store, "tea", HOUR_MS), None);
        assert_eq!(store.get(b"tea").unwrap(), None);
    });
}
