//! Windows, over every backend.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use bytes::Bytes;
use common::{bytes, durable_kinds, kinds, row};
use tidemill_state::{ByteStore, ByteWindowStore, WindowKey};

fn each(test: impl Fn(&mut ByteWindowStore)) {
    for kind in kinds() {
        test(&mut windows(kind.store()));
    }
}

fn windows(store: ByteStore) -> ByteWindowStore {
    ByteWindowStore::new(store, 1_000).unwrap()
}

fn append(store: &mut ByteWindowStore, start: i64, key: &str, values: &[&str]) {
    for value in values {
        store.append(start, key.as_bytes(), row(value)).unwrap();
    }
}

fn elements(store: &ByteWindowStore, start: i64, key: &str) -> String {
    let rows = store.elements(start, key.as_bytes()).unwrap();
    let values = rows.iter().map(|row| str::from_utf8(&row.value).unwrap().to_owned());
    values.collect::<Vec<_>>().join(" ")
}

fn listed(store: &ByteWindowStore, from: i64, to: i64) -> Vec<(i64, Bytes, u32)> {
    let rows = store.scan(from, to).unwrap().map(|row| row.unwrap().0);
    rows.map(|window| (window.start, window.key, window.seq)).collect()
}

#[test]
fn one_value_per_key_and_window() {
    each(|store| {
        store.put(0, b"a", row("first"));
        store.put(10, b"a", row("second"));
        store.commit(None).unwrap();
        store.put(0, b"b", row("third"));
        assert_eq!(store.get(0, b"a").unwrap(), Some(row("first")));
        assert_eq!(store.get(10, b"a").unwrap(), Some(row("second")));
        assert_eq!(store.get(10, b"b").unwrap(), None);
        store.delete(10, b"a");
        assert_eq!(store.get(10, b"a").unwrap(), None);
        assert_eq!(store.fetch(b"a", 0, 11).unwrap(), [(0, row("first"))]);
        assert_eq!(store.retention_ms(), 1_000);
    });
}

#[test]
fn scans_go_by_start_then_key_then_sequence() {
    each(|store| {
        for key in ["b", "", "a\0", "a", "a\0b", "ab"] {
            append(store, 10, key, &["x", "y"]);
        }
        store.commit(None).unwrap();
        append(store, 9, "z", &["x"]);
        let sorted = ["", "a", "a\0", "a\0b", "ab", "b"];
        let expect: Vec<_> = sorted.iter().flat_map(|key| [0, 1].map(|seq| (10, bytes(key), seq))).collect();
        assert_eq!(listed(store, 10, 11), expect);
        assert_eq!(listed(store, i64::MIN, 10), [(9, bytes("z"), 0)]);
        assert!(listed(store, 11, 10).is_empty());
    });
}

#[test]
fn elements_keep_their_order_and_their_window() {
    each(|store| {
        append(store, 0, "a", &["1", "2"]);
        append(store, 0, "a\0", &["other key"]);
        append(store, 10, "a", &["other window"]);
        store.commit(None).unwrap();
        append(store, 0, "a", &["3"]);
        assert_eq!(elements(store, 0, "a"), "1 2 3");
        assert_eq!(elements(store, 0, "a\0"), "other key");
        assert_eq!(elements(store, 5, "a"), "");
    });
}

#[test]
fn sequences_go_on_after_rollback() {
    each(|store| {
        append(store, 0, "a", &["1", "2"]);
        store.commit(None).unwrap();
        append(store, 0, "a", &["lost"]);
        append(store, 10, "a", &["lost"]);
        store.rollback();
        append(store, 0, "a", &["3"]);
        append(store, 10, "a", &["first"]);
        assert_eq!(elements(store, 0, "a"), "1 2 3");
        assert_eq!(elements(store, 10, "a"), "first");
    });
}

#[test]
fn elements_whose_deletion_is_rolled_back_are_not_overwritten() {
    each(|store| {
        append(store, 0, "a", &["1", "2"]);
        store.commit(None).unwrap();
        assert!(store.delete_elements(0, b"a").unwrap());
        append(store, 0, "a", &["lost"]);
        store.rollback();
        append(store, 0, "a", &["3"]);
        assert_eq!(elements(store, 0, "a"), "1 2 3");
        store.rollback();
        assert_eq!(store.append(0, b"a", row("3")).unwrap(), 2, "no number is left out");
    });
}

#[test]
fn sequences_go_on_after_restore() {
    each(|store| {
        let restored = |seq, value| {
            let key = WindowKey { start: 20, key: bytes("a"), seq };
            (WindowKey::decode_changelog(key.encode_changelog()).unwrap().encode_local(), Some(row(value)))
        };
        append(store, 10, "a", &["1"]);
        store.commit(None).unwrap();
        store.restore(vec![restored(0, "x"), restored(1, "y")], vec![], 2).unwrap();
        append(store, 20, "a", &["z"]);
        append(store, 10, "a", &["2"]);
        assert_eq!(elements(store, 20, "a"), "x y z");
        assert_eq!(elements(store, 10, "a"), "1 2");
    });
}

#[test]
fn sequences_go_on_after_opening() {
    for kind in durable_kinds() {
        let mut store = windows(kind.store());
        append(&mut store, 0, "a", &["1", "2"]);
        append(&mut store, 0, "b", &["other"]);
        store.commit(None).unwrap();
        drop(store);
        let mut store = windows(kind.store());
        append(&mut store, 0, "a", &["3"]);
        append(&mut store, 0, "c", &["new"]);
        assert_eq!(elements(&store, 0, "a"), "1 2 3");
        assert_eq!(elements(&store, 0, "c"), "new");
    }
}

#[test]
fn expired_windows_are_gone_and_start_anew() {
    each(|store| {
        append(store, 0, "a", &["1"]);
        append(store, 10, "a", &["2"]);
        store.commit(None).unwrap();
        append(store, 5, "a", &["never written"]);
        store.expire_before(10);
        assert_eq!(listed(store, 0, i64::MAX), [(10, bytes("a"), 0)]);
        assert_eq!(store.store().uncommitted().count(), 0);
        store.commit(None).unwrap();
        append(store, 0, "a", &["late"]);
        append(store, 10, "a", &["3"]);
        assert_eq!(elements(store, 0, "a"), "late");
        assert_eq!(elements(store, 10, "a"), "2 3");
    });
}

#[test]
fn rolled_back_expiry_brings_windows_back() {
    each(|store| {
        append(store, 0, "a", &["1"]);
        store.commit(None).unwrap();
        store.expire_before(10);
        store.rollback();
        append(store, 0, "a", &["2"]);
        assert_eq!(elements(store, 0, "a"), "1 2");
    });
}

#[test]
fn cleared_windows_start_anew() {
    each(|store| {
        append(store, 0, "a", &["1"]);
        store.commit(Some(1)).unwrap();
        store.clear().unwrap();
        append(store, 0, "a", &["2"]);
        assert_eq!(elements(store, 0, "a"), "2");
        assert_eq!(store.store().checkpoint().unwrap(), None);
    });
}

#[test]
fn a_key_can_be_deleted_from_all_its_windows() {
    each(|store| {
        append(store, 0, "a", &["1", "2"]);
        append(store, 0, "ab", &["3"]);
        append(store, 100, "a", &["4"]);
        store.commit(None).unwrap();
        append(store, 100, "a", &["5"]);
        assert_eq!(store.delete_key(b"a").unwrap(), 4);
        store.commit(None).unwrap();
        assert_eq!(listed(store, 0, i64::MAX), [(0, Bytes::from("ab"), 0)]);
    });
}

#[test]
fn deleted_elements_are_gone_and_their_window_collects_again() {
    each(|store| {
        append(store, 10, "a", &["1", "2"]);
        append(store, 10, "b", &["other key"]);
        store.commit(None).unwrap();
        append(store, 10, "a", &["3", "4", "5", "6"]);
        assert!(store.delete_elements(10, b"a").unwrap());
        assert_eq!(elements(store, 10, "a"), "");
        assert!(!store.delete_elements(10, b"a").unwrap());
        append(store, 10, "a", &["7"]);
        store.commit(None).unwrap();
        assert_eq!(elements(store, 10, "a"), "7");
        assert_eq!(elements(store, 10, "b"), "other key");
    });
}

#[test]
fn where_elements_may_begin_is_known_without_a_look() {
    for kind in durable_kinds() {
        let mut store = windows(kind.store());
        assert_eq!(store.first_start_at_least(), i64::MAX);
        append(&mut store, 30, "a", &["1"]);
        append(&mut store, 20, "a", &["2"]);
        assert_eq!(store.first_start_at_least(), 20);
        store.delete_elements(20, b"a").unwrap();
        assert_eq!(store.first_start_at_least(), 30);
        store.commit(None).unwrap();
        drop(store);

        let mut store = windows(kind.store());
        append(&mut store, 40, "a", &["3"]);
        assert_eq!(store.first_start_at_least(), 0, "rows of before were not looked at");
        store.expire_before(31);
        assert_eq!(store.first_start_at_least(), 40);
    }
}

#[test]
fn what_was_done_since_a_savepoint_is_undone() {
    each(undo);
}

fn undo(store: &mut ByteWindowStore) {
    store.append(10, b"a", row("1")).unwrap();
    store.commit(None).unwrap();
    store.append(10, b"a", row("2")).unwrap();
    store.begin_undo();
    store.append(10, b"a", row("3")).unwrap();
    let savepoint = store.savepoint();
    store.append(10, b"a", row("4")).unwrap();
    store.append(20, b"b", row("5")).unwrap();
    store.delete_elements(10, b"a").unwrap();
    store.expire_before(30);
    store.undo_to(savepoint);
    assert_eq!(elements(store, 10, "a"), "1 2 3");
    assert_eq!(elements(store, 20, "b"), "");
    assert_eq!(store.append(20, b"b", row("6")).unwrap(), 0);
    assert_eq!(store.append(10, b"a", row("7")).unwrap(), 3);
    store.undo_to(savepoint);
    assert_eq!(store.append(10, b"a", row("8")).unwrap(), 3);
}

#[test]
fn a_window_that_ends_within_a_commit_leaves_no_trace() {
    each(end);
}

fn end(store: &mut ByteWindowStore) {
    store.append_first(10, b"a", row("1"));
    store.append(10, b"a", row("2")).unwrap();
    store.put(20, b"a", row("3"));
    store.remove(10, b"a", true).unwrap();
    store.remove_value(20, b"a", true);
    assert_eq!(store.store().uncommitted().count(), 0);
    store.append_first(10, b"b", row("1"));
    store.commit(None).unwrap();
    store.append(10, b"b", row("2")).unwrap();
    store.remove(10, b"b", false).unwrap();
    assert_eq!(store.store().uncommitted().filter(|(_, row)| row.is_none()).count(), 2);
    store.commit(None).unwrap();
    assert_eq!(store.windows().unwrap(), []);
}

#[test]
fn windows_are_listed_once_however_many_elements_they_hold() {
    each(list);
}

fn list(store: &mut ByteWindowStore) {
    for (start, key, len) in [(10, b"a", 1), (10, b"b", 40), (20, b"a", 9)] {
        (0..len).for_each(|_| {
            store.append(start, key, row("x")).unwrap();
        });
    }
    store.commit(None).unwrap();
    store.append(20, b"c", row("x")).unwrap();
    let windows = [(10, "a"), (10, "b"), (20, "a"), (20, "c")].map(|(start, key)| (start, bytes::Bytes::from(key)));
    assert_eq!(store.windows().unwrap(), windows);
}

#[test]
fn what_is_kept_counts_once_it_is_committed() {
    each(keep);
}

fn keep(store: &mut ByteWindowStore) {
    assert_eq!((store.epoch(), store.committed_kept_from()), (1, None));
    store.keep_from(1);
    let sealed = store.seal();
    assert_eq!((store.epoch(), sealed.epoch(), store.committed_kept_from()), (2, 1, None));
    store.keep_from(2);
    store.commit_sealed(sealed, None).unwrap();
    assert_eq!(store.committed_kept_from(), Some(1));
    store.rollback();
    store.commit(None).unwrap();
    assert_eq!(store.committed_kept_from(), Some(1));
}
