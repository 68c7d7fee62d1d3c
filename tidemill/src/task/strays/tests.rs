use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use tidemill_state::{ByteWindowStore, MemoryBackend, Row};

use super::*;
use crate::{
    plan::TaskId,
    transport::{Acknowledged, Headers, ProducerRecord},
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
fn flush(stores: &TaskStores, end: Offset) {
    stores.commit(stores.seal(), &Acknowledged::from([(changelog(), end)]), 0, true).expect("commits");
}

/// The stretch that waits for an answer.
fn stretch(stores: &TaskStores) -> Option<(Offset, Offset)> {
    stores.unanswered().map(|found| (found.from, found.to))
}

/// Answers what the changelog holds up to `position`.
fn answer(stores: &TaskStores, told: Vec<ConsumedRecord>, position: Offset) {
    let found = stores.unanswered().expect("there are strays");
    stores.answer(&found, told, position).expect("writes");
}

fn checkpoint(store: &RefCell<ByteStore>) -> Option<Offset> {
    store.borrow().checkpoint().expect("reads")
}

fn record(offset: Offset, key: &'static str, value: Option<&'static str>) -> ConsumedRecord {
    let (key, value) = (Some(Bytes::from(key)), value.map(Bytes::from));
    ConsumedRecord { offset, timestamp: 1, key, value, headers: Headers::new() }
}

/// What the changelog gets with the next commit.
fn changes(stores: &TaskStores) -> Vec<(Bytes, Option<Bytes>)> {
    let mut changes = Vec::new();
    let sent = |record: ProducerRecord| changes.push((record.key.unwrap_or_default(), record.value));
    stores.changelog_records(sent).expect("reads");
    changes
}

#[test]
fn state_is_written_again_where_strays_tell_otherwise() {
    let (stores, store) = key_value();
    store.borrow_mut().put("kept".into(), row("5"));
    store.borrow_mut().put("own".into(), row("1"));
    flush(&stores, 12);
    assert_eq!(stretch(&stores), None);
    store.borrow_mut().put("own".into(), row("2"));
    flush(&stores, 15);
    assert_eq!(stretch(&stores), Some((12, 15)));
    assert_eq!(checkpoint(&store), Some(12), "it has not read the strays");

    let told = vec![record(12, "kept", Some("3")), record(13, "gone", Some("7")), record(14, "own", Some("2"))];
    answer(&stores, told, 15);
    assert_eq!(changes(&stores), [("gone".into(), None), ("kept".into(), Some("5".into()))]);
    flush(&stores, 17);
    assert_eq!((stretch(&stores), checkpoint(&store)), (None, Some(17)));
}

#[test]
fn strays_that_change_nothing_need_no_answer() {
    let (stores, store) = key_value();
    store.borrow_mut().put("own".into(), row("1"));
    flush(&stores, 12);
    answer(&stores, vec![record(10, "own", Some("0")), record(11, "own", Some("1"))], 12);
    assert_eq!(changes(&stores), []);
    assert_eq!((stretch(&stores), checkpoint(&store)), (None, Some(12)));
}

#[test]
fn strays_that_are_as_an_uncommitted_row_do_not_move_the_checkpoint() {
    let (stores, store) = key_value();
    store.borrow_mut().put("own".into(), row("1"));
    flush(&stores, 12);
    store.borrow_mut().put("own".into(), row("2"));
    answer(&stores, vec![record(10, "own", Some("1")), record(11, "own", Some("2"))], 12);
    assert_eq!(checkpoint(&store), None, "the committed row differs from the changelog");
    flush(&stores, 13);
    assert_eq!(checkpoint(&store), Some(13));
}

#[test]
fn a_commit_without_records_moves_the_checkpoint_over_answered_strays() {
    let (stores, store) = key_value();
    store.borrow_mut().put("own".into(), row("1"));
    flush(&stores, 12);
    store.borrow_mut().delete_below("a".into());
    answer(&stores, vec![record(10, "own", Some("1")), record(11, "own", Some("1"))], 12);
    assert_eq!(checkpoint(&store), None, "it must commit first");
    stores.commit(stores.seal(), &Acknowledged::new(), 0, true).expect("commits");
    assert_eq!(checkpoint(&store), Some(12));
}

#[test]
fn a_long_stretch_is_answered_in_pieces_with_commits_in_between() {
    let (stores, store) = key_value();
    for key in ["a", "b"] {
        store.borrow_mut().put(key.into(), row("5"));
    }
    flush(&stores, 14);
    answer(&stores, vec![record(10, "a", Some("5")), record(11, "a", Some("3"))], 12);
    assert_eq!(changes(&stores), [("a".into(), Some("5".into()))]);
    flush(&stores, 15);
    assert_eq!((stretch(&stores), checkpoint(&store)), (Some((12, 14)), None), "a part of the stretch is left");
    answer(&stores, vec![record(12, "b", Some("3"))], 13);
    answer(&stores, vec![record(13, "b", Some("5"))], 14);
    flush(&stores, 16);
    assert_eq!((stretch(&stores), checkpoint(&store)), (None, Some(16)));
}

#[test]
fn more_strays_come_during_the_answer() {
    let (stores, store) = key_value();
    store.borrow_mut().put("a".into(), row("5"));
    flush(&stores, 12);
    answer(&stores, vec![record(10, "a", Some("5")), record(11, "a", Some("3"))], 12);
    flush(&stores, 14);
    assert_eq!((stretch(&stores), checkpoint(&store)), (Some((12, 14)), None));
    answer(&stores, vec![record(12, "a", Some("5")), record(13, "a", Some("3"))], 14);
    flush(&stores, 15);
    assert_eq!((stretch(&stores), checkpoint(&store)), (None, Some(15)));
}

#[test]
fn after_a_rollback_the_answer_is_given_again() {
    let (stores, store) = key_value();
    store.borrow_mut().put("a".into(), row("5"));
    flush(&stores, 12);
    let told = || vec![record(10, "a", Some("5")), record(11, "a", Some("3"))];
    answer(&stores, told(), 12);
    stores.roll_back();
    assert_eq!((changes(&stores), stretch(&stores)), (Vec::new(), Some((10, 12))));
    answer(&stores, told(), 12);
    flush(&stores, 13);
    assert_eq!((stretch(&stores), checkpoint(&store)), (None, Some(13)));
}

#[test]
fn a_restore_behind_strays_does_not_move_the_checkpoint_over_them() {
    let (stores, store) = key_value();
    store.borrow_mut().put("a".into(), row("5"));
    flush(&stores, 11);
    store.borrow_mut().put("a".into(), row("6"));
    flush(&stores, 13);
    stores.roll_back();
    assert_eq!(stores.whole_at(&NAME.into()).expect("reads").0, Some(13), "it does not read the strays");
    stores.replay(&NAME.into(), vec![record(13, "b", Some("1"))], 13).expect("replays");
    assert_eq!((store.borrow().get(b"b").expect("reads"), checkpoint(&store)), (Some(row("1")), Some(11)));
}

#[test]
fn a_changelog_that_was_cut_off_has_no_strays() {
    let (stores, store) = key_value();
    store.borrow_mut().put("a".into(), row("5"));
    flush(&stores, 9);
    assert_eq!((stretch(&stores), checkpoint(&store)), (None, Some(9)));
}

#[test]
fn an_end_that_an_abandoned_flush_left_is_no_checkpoint() {
    let (stores, store) = key_value();
    store.borrow_mut().put("a".into(), row("5"));
    flush(&stores, 11);
    store.borrow_mut().delete_below("b".into());
    flush(&stores, 4);
    assert_eq!((stretch(&stores), checkpoint(&store)), (None, Some(11)));
}

/// A store of windows that end key by key, after a flush that found strays.
fn windows_with_strays() -> (TaskStores, Rc<RefCell<ByteWindowStore>>) {
    let store = ByteStore::new(NAME, Box::new(MemoryBackend::new()));
    let windows = Rc::new(RefCell::new(ByteWindowStore::new(store, 0).expect("opens").with_ends_by_key(true)));
    let stores = stores(StoreHandle::Window(windows.clone()));
    windows.borrow_mut().append_first(0, b"committed", row("1"));
    flush(&stores, 12);
    (stores, windows)
}

/// Answers a stray row. Returns its key in the changelog.
fn answer_window(stores: &TaskStores) -> Bytes {
    let key = stores.handles[NAME].to_changelog(&windows_key(), None).0;
    answer(stores, vec![ConsumedRecord { key: Some(key.clone()), ..record(10, "", Some("3")) }], 12);
    key
}

#[test]
fn a_row_that_only_strays_have_is_deleted_though_its_owner_forgets_its_own() {
    let (stores, windows) = windows_with_strays();
    windows.borrow_mut().append_first(0, b"key", row("2"));
    let key = answer_window(&stores);
    windows.borrow_mut().remove(0, b"key", true).expect("removes");
    assert_eq!(changes(&stores), [(key, None)]);
}

/// The operator keeps a new aggregate in its cache.
#[test]
fn a_row_that_only_strays_have_is_deleted_though_its_owner_never_wrote_its_own() {
    let (stores, windows) = windows_with_strays();
    let key = answer_window(&stores);
    windows.borrow_mut().remove_value(0, b"key", true);
    assert_eq!(changes(&stores), [(key, None)]);
}

#[test]
fn a_window_keeps_its_elements_while_strays_are_looked_at() {
    let store = ByteStore::new(NAME, Box::new(MemoryBackend::new()));
    let windows = Rc::new(RefCell::new(ByteWindowStore::new(store, 0).expect("opens")));
    let stores = stores(StoreHandle::Window(windows.clone()));
    windows.borrow_mut().append(0, b"key", row("1")).expect("appends");
    flush(&stores, 12);
    answer(&stores, Vec::new(), 12);
    assert_eq!(windows.borrow().elements(0, b"key").expect("reads"), [row("1")]);
    assert_eq!(windows.borrow_mut().append(0, b"key", row("2")).expect("appends"), 1);
}

fn windows_key() -> Bytes {
    tidemill_state::WindowKey { start: 0, key: Bytes::from_static(b"key"), seq: 0 }.encode_local()
}

/// A changelog cannot tell that a version does not exist.
#[test]
fn a_version_that_only_strays_have_gets_the_value_of_the_version_before_it() {
    let store = ByteStore::new(NAME, Box::new(MemoryBackend::new()));
    let versions = Rc::new(RefCell::new(ByteVersionedStore::new(store, 1_000).expect("opens")));
    let stores = stores(StoreHandle::Versioned(versions.clone()));
    versions.borrow_mut().put(b"key", Some("1".into()), 10).expect("writes");
    versions.borrow_mut().put(b"key", Some("3".into()), 30).expect("writes");
    flush(&stores, 13);
    let stray = |timestamp, value| ConsumedRecord { timestamp, ..record(10, "key", value) };
    answer(&stores, vec![stray(10, Some("1")), stray(20, Some("2")), stray(30, Some("3")), stray(5, Some("0"))], 13);
    let as_of = |time| versions.borrow().get_as_of(b"key", time).expect("reads").map(|version| version.value);
    assert_eq!([5, 10, 20, 30].map(as_of), [None, Some("1".into()), Some("1".into()), Some("3".into())]);
    let mut told = Vec::new();
    stores.changelog_records(|record| told.push((record.timestamp, record.value))).expect("reads");
    assert_eq!(told, [(5, None), (20, Some("1".into())), (30, Some("3".into()))], "the latest version comes last");
}
