//! The typed handle to a window store: writes and reads.

use super::*;
use crate::{BigEndian, ByteStore, MemoryBackend, Utf8};

#[test]
fn windows_by_key_and_start() {
    let store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    let store = Rc::new(RefCell::new(ByteWindowStore::new(store, 1_000).unwrap()));
    let counts: WindowStore<String, i64> = WindowStore::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    let (a, b) = ("a".to_owned(), "b".to_owned());
    counts.put(&a, 0, &1, 5).unwrap();
    counts.put(&b, 0, &2, 6).unwrap();
    counts.put(&a, 60, &3, 61).unwrap();
    assert_eq!(counts.get(&a, 60).unwrap(), Some(3));
    assert_eq!(counts.fetch(&a, 0, 61).read_all().unwrap(), [(0, 1), (60, 3)]);
    assert_eq!(counts.fetch(&a, 0, 60).read_all().unwrap(), [(0, 1)]);
    counts.delete(&a, 0).unwrap();
    assert_eq!(counts.all().read_all().unwrap(), [((b.clone(), 0), 2), ((a.clone(), 60), 3)]);
    assert_eq!(counts.append(&a, 120, &7, 0).unwrap(), 0);
    assert_eq!(counts.append(&a, 120, &8, 0).unwrap(), 1);
    assert_eq!(counts.elements(&a, 120).unwrap(), [7, 8]);
}

#[test]
fn no_window_starts_before_0() {
    let store = ByteStore::new("counts", Box::new(MemoryBackend::new()));
    let store = Rc::new(RefCell::new(ByteWindowStore::new(store, 1_000).unwrap()));
    let counts: WindowStore<String, i64> = WindowStore::new(store, Arc::new(Utf8), Arc::new(BigEndian));
    let a = "a".to_owned();
    let refused = counts.append(&a, -60, &1, 0).unwrap_err().to_string();
    assert!(refused.contains("counts"), "{refused}");
    assert!(counts.put(&a, -60, &1, 0).is_err() && counts.delete(&a, -60).is_err());
    assert_eq!(counts.get(&a, -60).unwrap(), None);
    assert!(counts.elements(&a, -60).unwrap().is_empty());
}
