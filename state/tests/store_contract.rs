//! What every store promises, over every backend.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ops::Bound::{self, Excluded, Included, Unbounded};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use common::{Kind, bytes, durable_kinds, kinds, row};
use tidemill_state::{Backend, Batch, ByteStore, Direction, Row, StoreError};

fn each(test: impl Fn(&mut ByteStore)) {
    for kind in kinds() {
        test(&mut kind.store());
    }
}

fn fill(store: &mut ByteStore, keys: &[&str]) {
    for key in keys {
        store.put(bytes(key), row(key));
    }
}

fn keys_between(store: &ByteStore, from: Bound<&[u8]>, to: Bound<&[u8]>, direction: Direction) -> String {
    let rows = store.scan(from, to, direction).unwrap();
    let keys = rows.map(|row| String::from_utf8(row.unwrap().0.to_vec()).unwrap());
    keys.collect::<Vec<_>>().join(" ")
}

fn keys(store: &ByteStore) -> String {
    keys_between(store, Unbounded, Unbounded, Direction::Forward)
}

#[test]
fn reads_see_uncommitted_and_committed_writes() {
    each(|store| {
        fill(store, &["a", "b"]);
        assert_eq!(store.get(b"a").unwrap(), Some(row("a")));
        store.commit(None).unwrap();
        assert_eq!(store.get(b"a").unwrap(), Some(row("a")));
        store.put(bytes("a"), row("newer"));
        store.delete(bytes("b"));
        assert_eq!(store.get(b"a").unwrap(), Some(row("newer")));
        assert_eq!(store.get(b"b").unwrap(), None);
        assert_eq!(store.get(b"c").unwrap(), None);
    });
}

#[test]
fn empty_keys_and_values_and_negative_times_are_kept() {
    each(|store| {
        let empty = Row { timestamp: i64::MIN, value: Bytes::new() };
        store.put(Bytes::new(), empty.clone());
        store.commit(None).unwrap();
        assert_eq!(store.get(b"").unwrap(), Some(empty));
    });
}

#[test]
fn scans_merge_the_overlay_over_the_backend() {
    each(|store| {
        fill(store, &["a", "c", "e", "g"]);
        store.commit(None).unwrap();
        fill(store, &["b", "c", "h"]);
        store.put(bytes("c"), row("newer"));
        store.delete(bytes("e"));
        store.delete(bytes("f"));
        assert_eq!(keys(store), "a b c g h");
        assert_eq!(keys_between(store, Unbounded, Unbounded, Direction::Reverse), "h g c b a");
        let rows = store.scan(Included(b"c"), Included(b"c"), Direction::Forward).unwrap();
        assert_eq!(rows.map(Result::unwrap).collect::<Vec<_>>(), [(bytes("c"), row("newer"))]);
    });
}

#[test]
fn scans_keep_their_bounds_both_ways() {
    each(|store| {
        fill(store, &["a", "b", "c"]);
        store.commit(None).unwrap();
        fill(store, &["ab", "bb"]);
        let check = |from, to, expect: &str| {
            assert_eq!(keys_between(store, from, to, Direction::Forward), expect);
            let reversed = expect.split_whitespace().rev().collect::<Vec<_>>().join(" ");
            assert_eq!(keys_between(store, from, to, Direction::Reverse), reversed);
        };
        check(Included(b"a"), Included(b"b"), "a ab b");
        check(Excluded(b"a"), Excluded(b"b"), "ab");
        check(Excluded(b"ab"), Unbounded, "b bb c");
        check(Unbounded, Excluded(b"ab"), "a");
        check(Excluded(b"b"), Excluded(b"b"), "");
        check(Included(b"b"), Excluded(b"b"), "");
        check(Included(b"c"), Included(b"a"), "");
    });
}

#[test]
fn uncommitted_writes_are_listed_in_key_order_until_the_commit() {
    each(|store| {
        store.put(bytes("b"), row("b"));
        store.delete(bytes("a"));
        store.set_meta("time", bytes("7"));
        let (a, b) = (bytes("a"), row("b"));
        assert_eq!(store.uncommitted().collect::<Vec<_>>(), [(&a, None), (&bytes("b"), Some(&b))]);
        assert_eq!(store.uncommitted_meta().collect::<Vec<_>>(), [("time", &bytes("7"))]);
        assert!(store.is_dirty() && store.overlay_bytes() > 0);
        store.commit(Some(1)).unwrap();
        assert_eq!(store.uncommitted().count() + store.uncommitted_meta().count(), 0);
        assert!(!store.is_dirty() && store.overlay_bytes() == 0);
    });
}

#[test]
fn rollback_returns_to_the_last_commit() {
    each(|store| {
        fill(store, &["a", "b"]);
        store.set_meta("time", bytes("1"));
        store.commit(Some(5)).unwrap();
        store.put(bytes("a"), row("newer"));
        store.delete(bytes("b"));
        store.delete_below(bytes("z"));
        store.set_meta("time", bytes("2"));
        store.rollback();
        assert_eq!(keys(store), "a b");
        assert_eq!(store.get(b"a").unwrap(), Some(row("a")));
        assert_eq!(store.meta("time").unwrap(), Some(bytes("1")));
        assert_eq!(store.checkpoint().unwrap(), Some(5));
        assert!(!store.is_dirty());
    });
}

#[test]
fn a_commit_without_checkpoint_keeps_the_last_one() {
    each(|store| {
        assert_eq!(store.checkpoint().unwrap(), None);
        store.commit(Some(9)).unwrap();
        fill(store, &["a"]);
        store.commit(None).unwrap();
        assert_eq!(store.checkpoint().unwrap(), Some(9));
    });
}

#[test]
fn expiry_hides_at_once_and_drops_with_the_commit() {
    each(|store| {
        fill(store, &["a", "b", "c"]);
        store.commit(None).unwrap();
        fill(store, &["aa", "d"]);
        store.delete_below(bytes("c"));
        store.delete_below(bytes("b"));
        assert_eq!(keys(store), "c d");
        assert_eq!(keys_between(store, Included(b"a"), Excluded(b"d"), Direction::Reverse), "c");
        assert_eq!(store.get(b"b").unwrap(), None);
        assert_eq!(store.uncommitted().map(|(key, _)| key.clone()).collect::<Vec<_>>(), [bytes("d")]);
        store.commit(None).unwrap();
        assert_eq!(keys(store), "c d");
    });
}

#[test]
fn a_row_written_after_expiry_lives_below_it() {
    each(|store| {
        fill(store, &["a", "b", "c"]);
        store.commit(None).unwrap();
        store.delete_below(bytes("c"));
        fill(store, &["b"]);
        assert_eq!(keys(store), "b c");
        store.commit(None).unwrap();
        assert_eq!(keys(store), "b c");
        fill(store, &["a"]);
        store.commit(None).unwrap();
        assert_eq!(keys(store), "a b c");
        store.delete_below(bytes("b"));
        store.commit(None).unwrap();
        assert_eq!(keys(store), "b c");
        assert_eq!(store.get(b"a").unwrap(), None);
    });
}

#[test]
fn restored_rows_are_committed() {
    each(|store| {
        let rows = vec![(bytes("a"), Some(row("old"))), (bytes("b"), Some(row("b"))), (bytes("a"), Some(row("new")))];
        store.restore(rows, vec![("time".to_owned(), bytes("3"))], 3).unwrap();
        store.restore(vec![(bytes("b"), None)], vec![], 4).unwrap();
        store.rollback();
        assert_eq!(keys(store), "a");
        assert_eq!(store.get(b"a").unwrap(), Some(row("new")));
        assert_eq!(store.meta("time").unwrap(), Some(bytes("3")));
        assert_eq!(store.checkpoint().unwrap(), Some(4));
    });
}

#[test]
fn clear_leaves_nothing() {
    each(|store| {
        fill(store, &["a", "b"]);
        store.set_meta("time", bytes("1"));
        store.commit(Some(5)).unwrap();
        fill(store, &["c"]);
        store.clear().unwrap();
        assert_eq!(keys(store), "");
        assert_eq!(store.meta("time").unwrap(), None);
        assert_eq!(store.checkpoint().unwrap(), None);
        fill(store, &["a"]);
        store.commit(Some(1)).unwrap();
        assert_eq!(keys(store), "a");
    });
}

#[test]
fn names_of_metadata_do_not_meet_the_checkpoint() {
    each(|store| {
        store.set_meta("checkpoint", bytes("mine"));
        store.commit(Some(5)).unwrap();
        assert_eq!(store.checkpoint().unwrap(), Some(5));
        assert_eq!(store.meta("checkpoint").unwrap(), Some(bytes("mine")));
    });
}

#[test]
fn closed_stores_open_as_they_were() {
    for kind in durable_kinds() {
        let mut store = kind.store();
        fill(&mut store, &["a", "b", "c"]);
        store.delete_below(bytes("b"));
        store.commit(Some(5)).unwrap();
        fill(&mut store, &["uncommitted"]);
        drop(store);
        let store = kind.store();
        assert_eq!(keys(&store), "b c");
        assert_eq!(store.checkpoint().unwrap(), Some(5));
    }
}

#[test]
fn statistics_count() {
    each(|store| {
        fill(store, &["a", "b"]);
        store.delete(bytes("a"));
        store.get(b"a").unwrap();
        assert_eq!(keys(store), "b");
        assert!(store.stats().overlay_bytes > 0);
        store.commit(None).unwrap();
        let stats = store.stats();
        assert_eq!((stats.gets, stats.puts, stats.deletes, stats.scans, stats.rows_committed), (1, 2, 1, 1, 2));
        assert!(stats.overlay_bytes == 0 && stats.size_bytes > 0);
        assert!(store.approximate_len().unwrap() <= 2);
    });
}

/// A backend whose disk is full for a while.
struct Full(Box<dyn Backend>, Arc<AtomicBool>);

impl Full {
    /// A store of it, and what its disk is.
    fn store() -> (ByteStore, Arc<AtomicBool>) {
        let full = Arc::new(AtomicBool::new(true));
        (ByteStore::new("store", Box::new(Self(Kind::Memory.backend(), full.clone()))), full)
    }
}

impl Backend for Full {
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        self.0.get(key)
    }

    fn scan(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
    ) -> Result<tidemill_state::Rows<'_>, StoreError> {
        self.0.scan(from, to, direction)
    }

    fn write(&mut self, batch: Batch) -> Result<(), StoreError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(StoreError::from_io("/state".as_ref(), std::io::ErrorKind::StorageFull.into()));
        }
        self.0.write(batch)
    }

    fn meta(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.0.meta(key)
    }

    fn checkpoint(&self) -> Result<Option<i64>, StoreError> {
        self.0.checkpoint()
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.0.flush()
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        self.0.clear()
    }

    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }
}

#[test]
fn a_failed_commit_keeps_what_was_uncommitted() {
    let (mut store, _full) = Full::store();
    fill(&mut store, &["a"]);
    let error = store.commit(Some(1)).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(store.is_sealed());
    assert_eq!(keys(&store), "a");
    assert_eq!(store.checkpoint().unwrap(), None);
}

#[test]
fn what_comes_after_a_failed_commit_is_committed_with_what_it_kept() {
    let (mut store, full) = Full::store();
    full.store(false, Ordering::SeqCst);
    fill(&mut store, &["a", "y"]);
    store.commit(None).unwrap();
    full.store(true, Ordering::SeqCst);
    fill(&mut store, &["b", "c", "x"]);
    store.set_meta("time", bytes("1"));
    store.commit(None).unwrap_err();

    store.delete_below(bytes("c"));
    fill(&mut store, &["d"]);
    store.delete(bytes("y"));
    let sealed = store.seal();
    assert_eq!(keys(&store), "c d x");
    full.store(false, Ordering::SeqCst);
    store.commit_sealed(sealed, Some(7)).unwrap();
    assert_eq!((keys(&store), store.checkpoint().unwrap()), ("c d x".to_owned(), Some(7)));
    assert_eq!(store.meta("time").unwrap(), Some(bytes("1")));
}
