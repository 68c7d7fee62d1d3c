//! The typed handle to a key-value store: writes and reads.

use super::*;
use crate::{BigEndian, MemoryBackend, Nullable, Utf8};

fn open() -> KeyValueStore<String, Option<i64>> {
    let store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    KeyValueStore::new(Rc::new(RefCell::new(store)), Arc::new(Utf8), Arc::new(Nullable(BigEndian)))
}

fn key(text: &str) -> String {
    text.to_owned()
}

#[test]
fn values_come_back_with_their_time() {
    let counts = open();
    counts.put(&key("a"), &Some(1), 10).unwrap();
    assert_eq!(counts.clone().get_with_timestamp(&key("a")).unwrap(), Some((Some(1), 10)));
    counts.put(&key("a"), &None, 11).unwrap();
    assert_eq!(counts.get(&key("a")).unwrap(), None);
}

#[test]
fn the_first_value_stays() {
    let counts = open();
    assert_eq!(counts.put_if_absent(&key("a"), &Some(1), 0).unwrap(), None);
    assert_eq!(counts.put_if_absent(&key("a"), &Some(2), 0).unwrap(), Some(Some(1)));
    counts.delete(&key("a")).unwrap();
    assert_eq!(counts.get(&key("a")).unwrap(), None);
}

#[test]
fn ranges_and_prefixes() {
    let counts = open();
    for (index, name) in ["a", "ab", "b", "c"].into_iter().enumerate() {
        counts.put(&key(name), &Some(index as i64), 0).unwrap();
    }
    let names = |found: KeyValueIterator<String, Option<i64>>| {
        found.map(|entry| entry.map(|(key, _)| key)).collect::<Result<Vec<_>, _>>().unwrap()
    };
    assert_eq!(names(counts.range(key("ab")..=key("b"))), ["ab", "b"]);
    assert_eq!(names(counts.range(key("ab")..key("b"))), ["ab"]);
    assert_eq!(names(counts.reverse_range(..key("b"))), ["ab", "a"]);
    assert_eq!(names(counts.range(key("c")..=key("a"))), [""; 0]);
    assert_eq!(names(counts.prefix_scan(b"a")), ["a", "ab"]);
    assert_eq!(names(counts.prefix_scan(b"")), ["a", "ab", "b", "c"]);
    assert_eq!(counts.prefix_scan(b"\xff").count(), 0);
    assert_eq!(names(counts.all()), ["a", "ab", "b", "c"]);
    assert_eq!(names(counts.reverse_all()), ["c", "b", "ab", "a"]);
    assert_eq!(counts.approximate_len().unwrap(), 4);
}
