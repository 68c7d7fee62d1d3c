use std::{cell::RefCell, rc::Rc};

use tidemill_state::{ByteWindowStore, MemoryBackend};

use super::*;
use crate::{
    plan::TaskId,
    transport::{Acknowledged, Headers},
};

const NAME: &str = "rows";

fn changelog() -> TopicPartition {
    TopicPartition::new("app-rows-changelog", 0)
}

fn stores(handle: StoreHandle) -> TaskStores {
    let task = TaskId { subtopology: 0, partition: 0 };
    let stores = TaskStores::of(task, [(NAME.into(), handle)].into(), [(NAME.into(), changelog())].into());
    stores.note_end(&NAME.into(), 10);
    stores
}

fn key_value() -> (TaskStores, Rc<RefCell<ByteStore>>) {
    let store = Rc::new(RefCell::new(ByteStore::new(NAME, Box::new(MemoryBackend::new()))));
    (stores(StoreHandle::KeyValue(store.clone())), store)
}

fn row(value: &'static str) -> Row {
    Row { timestamp: 1, value: Bytes::from_static(value.as_bytes()) }
}

/// Commits what is uncommitted with a flush behind which the changelog ends at `end`.
fn flush(stores: &TaskStores, end: Offset) -> Vec<Strays> {
    stores.commit(stores.seal(), &Acknowledged::from([(changelog(), end)]), 0, true).expect("commits")
}

fn record(offset: Offset, key: &'static str, value: Option<&'static str>) -> ConsumedRecord {
    let (key, value) = (Some(Bytes::from(key)), value.map(Bytes::from));
    ConsumedRecord { offset, timestamp: 1, key, value, headers: Headers::new() }
}

/// What the changelog gets with the next commit.
fn changes(stores: &TaskStores) -> Vec<(Bytes, Option<Bytes>)> {
    let mut changes = Vec::new();
    stores.changelog_records(|record| changes.push((record.key.unwrap_or_default(), record.value)));
    changes
}

#[test]
fn state_is_written_again_where_strays_tell_otherwise() {
    let (stores, store) = key_value();
    store.borrow_mut().put("kept".into(), row("5"));
    store.borrow_mut().put("own".into(), row("1"));
    assert_eq!(flush(&stores, 12), []);
    store.borrow_mut().put("own".into(), row("2"));
    let strays = Strays { store: NAME.into(), changelog: changelog(), from: 12, to: 15 };
    assert_eq!(flush(&stores, 15), std::slice::from_ref(&strays));
    assert_eq!(store.borrow().checkpoint().expect("reads"), Some(12), "it has not read the strays");

    let told = vec![record(12, "kept", Some("3")), record(13, "gone", Some("7")), record(14, "own", Some("2"))];
    stores.write_again(&strays, told).expect("writes");
    assert_eq!(changes(&stores), [("gone".into(), None), ("kept".into(), Some("5".into()))]);
    assert_eq!(flush(&stores, 17), []);
    assert_eq!(store.borrow().checkpoint().expect("reads"), Some(17));
}

#[test]
fn strays_that_change_nothing_need_no_answer() {
    let (stores, store) = key_value();
    store.borrow_mut().put("own".into(), row("1"));
    let strays = flush(&stores, 12);
    stores.write_again(&strays[0], vec![record(10, "own", Some("0")), record(11, "own", Some("1"))]).expect("writes");
    assert_eq!(changes(&stores), []);
    assert_eq!(store.borrow().checkpoint().expect("reads"), Some(12));
}

#[test]
fn a_row_that_only_strays_have_is_deleted_though_its_owner_forgets_its_own() {
    let store = ByteStore::new(NAME, Box::new(MemoryBackend::new()));
    let windows = Rc::new(RefCell::new(ByteWindowStore::new(store, 0).expect("opens").with_ends_by_key(true)));
    let stores = stores(StoreHandle::Window(windows.clone()));
    windows.borrow_mut().append_first(0, b"committed", row("1"));
    let strays = flush(&stores, 12);
    windows.borrow_mut().append_first(0, b"key", row("2"));
    let local = stores.handles[NAME].to_changelog_key(&windows_key());
    let told = vec![ConsumedRecord { key: Some(local.clone()), ..record(10, "", Some("3")) }];
    stores.write_again(&strays[0], told).expect("writes");
    windows.borrow_mut().remove(0, b"key", true).expect("removes");
    assert_eq!(changes(&stores), [(local, None)]);
}

#[test]
fn a_window_keeps_its_elements_while_strays_are_looked_at() {
    let store = ByteStore::new(NAME, Box::new(MemoryBackend::new()));
    let windows = Rc::new(RefCell::new(ByteWindowStore::new(store, 0).expect("opens")));
    let stores = stores(StoreHandle::Window(windows.clone()));
    windows.borrow_mut().append(0, b"key", row("1")).expect("appends");
    let strays = flush(&stores, 12);
    stores.write_again(&strays[0], Vec::new()).expect("writes");
    assert_eq!(windows.borrow().elements(0, b"key").expect("reads"), [row("1")]);
    assert_eq!(windows.borrow_mut().append(0, b"key", row("2")).expect("appends"), 1);
}

fn windows_key() -> Bytes {
    tidemill_state::WindowKey { start: 0, key: Bytes::from_static(b"key"), seq: 0 }.encode_local()
}
