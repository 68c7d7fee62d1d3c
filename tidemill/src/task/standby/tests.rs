use std::{cell::RefCell, ops::Bound, rc::Rc};

use bytes::Bytes;
use tidemill_state::{ByteStore, Direction, MemoryBackend, WindowKey};

use super::*;
use crate::{
    clock::Moment,
    task::StoreRestore,
    transport::{
        Headers, Transport as _,
        embedded::{EmbeddedLog, Entry},
    },
};

const NAME: &str = "windows";

fn changelog() -> TopicPartition {
    TopicPartition::new("app-windows-changelog", 0)
}

fn standby() -> StandbyTask {
    let id = TaskId { subtopology: 0, partition: 0 };
    let store = ByteStore::new(NAME, Box::new(MemoryBackend::new()));
    let store = ByteWindowStore::new(store, 100).expect("opens");
    let handle = StoreHandle::Window(Rc::new(RefCell::new(store)));
    let stores = TaskStores::of(id, [(NAME.into(), handle)].into(), [(NAME.into(), changelog())].into());
    let stores = PortableStores::pack(stores).expect("nobody uses them");
    StandbyTask::begin(stores, &[(changelog(), Watermarks { low: 0, high: 0 })].into(), 0).expect("begins")
}

fn record(offset: Offset, key: Bytes, value: Bytes) -> ConsumedRecord {
    ConsumedRecord { offset, timestamp: 0, key: Some(key), value: Some(value), headers: Headers::new() }
}

/// The note of an owner that has seen `now_ms`.
fn time(offset: Offset, now_ms: i64) -> ConsumedRecord {
    record(offset, Bytes::from_static(b"time"), [now_ms, now_ms].map(i64::to_be_bytes).concat().into())
}

fn row(offset: Offset, start: i64) -> ConsumedRecord {
    let key = WindowKey { start, key: Bytes::from_static(b"key"), seq: 0 };
    let key = WindowKey::local_to_changelog(&key.encode_local()).expect("is a row's");
    record(offset, key, Bytes::from_static(b"1"))
}

fn rows(standby: &mut StandbyTask) -> usize {
    standby.stores().with(|stores| {
        stores.handles[NAME].with_store(|store| {
            store.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward).expect("scans").count()
        })
    })
}

/// At least once, a replaced member may have seen more than the owner, and written its time behind the owner's.
#[test]
fn windows_that_expired_by_a_replaced_members_time_come_back_when_the_owner_tells_an_earlier_time() {
    let mut standby = standby();
    standby.apply(&changelog(), vec![row(0, 0), time(1, 50)]).expect("applies");
    standby.apply(&changelog(), vec![time(2, 1_000)]).expect("applies");
    assert_eq!(rows(&mut standby), 0);
    standby.apply(&changelog(), vec![time(3, 60)]).expect("applies");
    let next: Vec<_> = standby.positions().map(|(_, next)| next).collect();
    assert_eq!(next, [0], "it reads the changelog again");
    let again = [vec![row(0, 0), time(1, 50), time(2, 1_000)], vec![time(3, 60)]];
    let again = again.map(|records| standby.apply(&changelog(), records).expect("applies"));
    assert_eq!((again, rows(&mut standby)), ([false, false], 1), "not for ever");
    standby.apply(&changelog(), vec![time(4, 1_100)]).expect("applies");
    assert_eq!(rows(&mut standby), 0);
}

#[test]
fn a_standby_that_expired_windows_by_a_replaced_members_time_is_not_taken_over_as_it_is() {
    let mut standby = standby();
    let records = [row(0, 0), time(1, 50), time(2, 1_000), time(3, 60)];
    standby.apply(&changelog(), records[..3].to_vec()).expect("applies");
    let log = EmbeddedLog::in_memory();
    let TopicPartition { topic, partition } = changelog();
    log.create(&topic, 1).expect("creates");
    let entries = records.clone().map(|ConsumedRecord { key, value, .. }| Entry { key, value, ..Entry::default() });
    log.append(&topic, partition, entries).expect("appends");

    let (stores, followed) = standby.into_parts();
    let (stores, mut reader) = (stores.unpack(), log.reader().expect("opens"));
    let mut plan = StoreRestore::plan(&stores, &followed, &mut *reader, Moment::default()).expect("plans");
    assert_eq!((plan.len(), plan[0].next), (1, 3), "only the owner's last record is missing");
    plan[0].apply(&stores, records[3..].to_vec()).expect("applies");
    assert!(plan[0].lacks_windows(&stores).expect("reads"));
    plan[0].start_over(&stores, Watermarks { low: 0, high: 4 }, 0).expect("clears");
    plan[0].apply(&stores, records.to_vec()).expect("applies");
    assert!(!plan[0].lacks_windows(&stores).expect("reads"));
}
