//! Ranges of typed handles: what is read, in which order, and what a writer may do meanwhile.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use common::{kinds, row};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tidemill_state::{
    Backend, Batch, BigEndian, ByteStore, ByteWindowStore, Direction, KeyValueStore, MemoryBackend, Row, Rows,
    StoreError, Utf8, WindowStore,
};

/// A backend that counts the rows that scans read.
struct Counting(MemoryBackend, Arc<AtomicUsize>);

impl Backend for Counting {
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        self.0.get(key)
    }

    fn scan(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, direction: Direction) -> Result<Rows<'_>, StoreError> {
        let rows = self.0.scan(from, to, direction)?;
        Ok(Box::new(rows.inspect(|_| {
            self.1.fetch_add(1, Ordering::Relaxed);
        })))
    }

    fn write(&mut self, batch: Batch) -> Result<(), StoreError> {
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

fn counted(rows: impl IntoIterator<Item = (i64, String)>) -> (ByteWindowStore, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let backend = Box::new(Counting(MemoryBackend::new(), Arc::clone(&read)));
    let mut store = ByteWindowStore::new(ByteStore::new("views", backend), i64::MAX).unwrap();
    rows.into_iter().for_each(|(start, key)| store.put(start, key.as_bytes(), row("value")));
    store.commit(None).unwrap();
    (store, read)
}

/// The rows that are read to fetch the windows of a key, beside this many other keys.
fn rows_read(others: usize) -> usize {
    let keys = || (0..others).map(|number| format!("key-{number:05}")).chain(["key-00000-mine".to_owned()]);
    let (store, read) = counted((0..10).flat_map(|start| keys().map(move |key| (start * 60, key))));
    let before = read.load(Ordering::Relaxed);
    assert_eq!(store.fetch(b"key-00000-mine", 0, i64::MAX).unwrap().len(), 10);
    read.load(Ordering::Relaxed) - before
}

#[test]
fn a_fetch_of_a_key_reads_no_more_rows_if_there_are_more_keys() {
    assert_eq!(rows_read(10), rows_read(5_000));
    assert!(rows_read(5_000) <= 20, "its rows, and one of each start");
}

#[test]
fn the_first_of_a_backward_fetch_reads_one_window() {
    let (store, read) = counted((0..1_000).flat_map(|start| ["a", "b"].map(|key| (start, key.to_owned()))));
    let store = WindowStore::<String, Bytes>::new(
        Rc::new(RefCell::new(store)),
        Arc::new(Utf8),
        Arc::new(tidemill_state::RawBytes),
    );
    let before = read.load(Ordering::Relaxed);
    let last = store.backward_fetch(&"a".to_owned(), 0, i64::MAX).next().unwrap().unwrap();
    assert_eq!(last.0, 999);
    assert!(read.load(Ordering::Relaxed) - before <= 2);
}

fn key_values() -> KeyValueStore<String, i64> {
    let store = ByteStore::new("points", Box::new(MemoryBackend::new()));
    KeyValueStore::new(Rc::new(RefCell::new(store)), Arc::new(Utf8), Arc::new(BigEndian))
}

fn number(number: i64) -> String {
    format!("{number:04}")
}

#[test]
fn a_walk_may_delete_and_change_what_it_has_returned() {
    let points = key_values();
    (0..1_000).for_each(|at| points.put(&number(at), &at, 0).unwrap());
    for (count, entry) in points.all().enumerate() {
        let (key, value) = entry.unwrap();
        assert_eq!(value, count as i64, "each once, and as it was");
        if value % 2 == 0 { points.delete(&key).unwrap() } else { points.put(&key, &-value, 0).unwrap() }
    }
    let left = points.all().read_all().unwrap();
    assert_eq!(left, (0..500).map(|at| (number(2 * at + 1), -2 * at - 1)).collect::<Vec<_>>());
}

#[test]
fn a_walk_meets_what_is_written_ahead_of_it_and_not_what_is_deleted_there() {
    let points = key_values();
    for at in [1, 2, 3, 6] {
        points.put(&number(at), &at, 0).unwrap();
    }
    let mut walk = points.all();
    assert_eq!(walk.next().unwrap().unwrap().1, 1);
    points.delete(&number(2)).unwrap();
    points.put(&number(0), &0, 0).unwrap();
    points.put(&number(3), &33, 0).unwrap();
    points.put(&number(4), &4, 0).unwrap();
    assert_eq!(walk.map(|entry| entry.unwrap().1).collect::<Vec<_>>(), [33, 4, 6]);

    let mut back = points.reverse_all();
    assert_eq!(back.next().unwrap().unwrap().1, 6);
    points.put(&number(5), &5, 0).unwrap();
    points.put(&number(7), &7, 0).unwrap();
    assert_eq!(back.map(|entry| entry.unwrap().1).collect::<Vec<_>>(), [5, 4, 33, 1, 0]);
}

#[test]
fn an_iterator_goes_on_over_a_commit_and_ends_for_good() {
    let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    let points = KeyValueStore::<String, i64>::new(Rc::clone(&store), Arc::new(Utf8), Arc::new(BigEndian));
    (0..20).for_each(|at| points.put(&number(at), &at, 0).unwrap());
    let mut walk = points.range(number(3)..=number(12));
    assert_eq!(walk.next().unwrap().unwrap().1, 3);
    store.borrow_mut().commit(Some(1)).unwrap();
    assert_eq!(walk.by_ref().map(|entry| entry.unwrap().1).collect::<Vec<_>>(), (4..=12).collect::<Vec<_>>());
    points.put(&"0011-more".to_owned(), &1, 0).unwrap();
    assert!(walk.next().is_none());
}

#[test]
fn an_entry_that_does_not_decode_is_an_error_and_the_last() {
    let store = Rc::new(RefCell::new(ByteStore::new("points", Box::new(MemoryBackend::new()))));
    store.borrow_mut().put("a".into(), row("not eight bytes"));
    store.borrow_mut().put("b".into(), row("nor this one"));
    let points = KeyValueStore::<String, i64>::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    let mut walk = points.all();
    assert!(walk.next().unwrap().unwrap_err().to_string().contains("points"));
    assert!(walk.next().is_none());
}

type Model = BTreeMap<(i64, String), i64>;

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "a\0", "a\0b", "ab", "b"]).prop_map(str::to_owned)
}

/// Windows of a store that is partly committed, against a map.
fn compare(
    kind: &common::Kind,
    writes: &[(i64, String, Option<i64>)],
    (from, to): (i64, i64),
    keys: (&String, &String),
) {
    let bytes = Rc::new(RefCell::new(ByteWindowStore::new(kind.store(), i64::MAX).unwrap()));
    bytes.borrow_mut().clear().unwrap();
    let store = WindowStore::<String, i64>::new(Rc::clone(&bytes), Arc::new(Utf8), Arc::new(BigEndian));
    let mut model = Model::new();
    for (number, (start, key, value)) in writes.iter().enumerate() {
        match value {
            Some(value) => {
                store.put(key, *start, value, 0).unwrap();
                model.insert((*start, key.clone()), *value);
            }
            None => {
                store.delete(key, *start).unwrap();
                model.remove(&(*start, key.clone()));
            }
        }
        if number == writes.len() / 2 {
            bytes.borrow_mut().commit(None).unwrap();
        }
    }
    let (first, last) = keys;
    let within = |wanted: &dyn Fn(&String) -> bool| -> Vec<((String, i64), i64)> {
        let found = model.iter().filter(|((start, key), _)| *start >= from && *start < to && wanted(key));
        found.map(|((start, key), value)| ((key.clone(), *start), *value)).collect()
    };
    let of_key = within(&|key| key == first).into_iter().map(|((_, start), value)| (start, value)).collect::<Vec<_>>();
    let backward = |mut list: Vec<_>| {
        list.reverse();
        list
    };
    assert_eq!(store.fetch(first, from, to).read_all().unwrap(), of_key);
    assert_eq!(store.backward_fetch(first, from, to).read_all().unwrap(), of_key.into_iter().rev().collect::<Vec<_>>());
    let of_keys = within(&|key| key >= first && key <= last);
    assert_eq!(store.fetch_keys(first..=last, from, to).read_all().unwrap(), of_keys);
    assert_eq!(store.backward_fetch_keys(first..=last, from, to).read_all().unwrap(), backward(of_keys));
    let all = within(&|_| true);
    assert_eq!(store.fetch_all(from, to).read_all().unwrap(), all);
    assert_eq!(store.backward_fetch_all(from, to).read_all().unwrap(), backward(all));
}

#[test]
fn windows_are_read_as_a_map_has_them() {
    for kind in kinds() {
        let cases = if matches!(kind, common::Kind::Memory) { 512 } else { 48 };
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let writes = vec((0..6_i64, key(), prop::option::of(0..100_i64)), 0..40);
        let result = runner.run(&(writes, (-1..7_i64, -1..7_i64), key(), key()), |(writes, span, first, last)| {
            compare(&kind, &writes, span, (&first, &last));
            Ok(())
        });
        result.unwrap();
    }
}
