//! Compares a task's stores with their changelogs: a fresh store that replays the changelog must have the same rows and
//! notes.

use std::{collections::BTreeMap, ops::Bound};

use bytes::Bytes;
use tidemill_state::{ByteStore, Direction, Row, StoreError, WindowKey};

use crate::{
    error::TaskError,
    operators::{StoreHandle, WindowClock},
    plan::Plan,
    task::{MemoryStores, TaskStores},
    transport::{ConsumedRecord, embedded::EmbeddedLog},
};

/// Rows by key, and notes by name.
type Contents = (BTreeMap<Bytes, Row>, BTreeMap<String, Option<Bytes>>);

/// The first difference, in words; `None` if there is none. A standby may keep windows longer than the active task, because the active
/// task need not record that idle time has expired them.
pub(super) fn difference(log: &EmbeddedLog, plan: &Plan, stores: &TaskStores, is_standby: bool) -> Option<String> {
    compare(log, plan, stores, is_standby).unwrap_or_else(|error| Some(error.chain()))
}

fn compare(log: &EmbeddedLog, plan: &Plan, stores: &TaskStores, is_standby: bool) -> Result<Option<String>, TaskError> {
    let fresh = TaskStores::open(plan, stores.task, &MemoryStores)?;
    for (name, handle, changelog) in stores.logged() {
        let records = log.read_all(&changelog.topic)?.into_iter();
        let records: Vec<ConsumedRecord> =
            records.filter(|(partition, _)| *partition == changelog.partition).map(|(_, record)| record).collect();
        let end = log.end_offsets(&changelog.topic)?[changelog.partition as usize];
        let checkpoint = handle.with_store(ByteStore::checkpoint).map_err(|error| stores.error(error))?;
        if !is_standby && !records.is_empty() && checkpoint != Some(end) {
            let task = stores.task;
            return Ok(Some(format!("store {name} of task {task} has checkpoint {checkpoint:?} instead of {end}")));
        }
        let notes: Vec<String> = records.iter().filter_map(note).collect();
        fresh.replay(name, records, 0)?;
        let read = || {
            let expired = expired_below(handle)?;
            Ok((contents(handle, &notes, expired)?, contents(&fresh.handles[name], &notes, expired)?))
        };
        let (mut found, expected) = read().map_err(|error| stores.error(error))?;
        if is_standby && expires_by_start(handle) {
            found.0.retain(|key, _| expected.0.contains_key(key));
        }
        if found != expected {
            let task = stores.task;
            let only = |one: &Contents, other: &Contents| {
                let rows = one.0.iter().filter(|(key, row)| other.0.get(*key) != Some(row));
                let notes = one.1.iter().filter(|(name, note)| other.1.get(*name) != Some(note));
                format!("{:?} {:?}", rows.collect::<Vec<_>>(), notes.collect::<Vec<_>>())
            };
            return Ok(Some(format!(
                "store {name} of task {task} differs from its changelog: only the store has {}, only the changelog {}",
                only(&found, &expected),
                only(&expected, &found)
            )));
        }
    }
    Ok(None)
}

/// The name of the note in a changelog record, or `None` if the record is not a note.
fn note(record: &ConsumedRecord) -> Option<String> {
    let key = record.key.as_ref()?;
    let is_note = WindowKey::decode_changelog(key.clone()).is_err();
    is_note.then(|| String::from_utf8_lossy(key).into_owned())
}

/// Whether windows expire without a tombstone in the changelog.
fn expires_by_start(handle: &StoreHandle) -> bool {
    matches!(handle, StoreHandle::Window(store) if !store.borrow().ends_by_key())
}

/// Windows that start before this time may be missing in one of the stores.
fn expired_below(handle: &StoreHandle) -> Result<i64, StoreError> {
    let StoreHandle::Window(store) = handle else { return Ok(0) };
    let store = store.borrow();
    Ok(store.expired_before().max(WindowClock::expired_below_in(&store)?.unwrap_or(0)))
}

fn contents(handle: &StoreHandle, notes: &[String], expired_below: i64) -> Result<Contents, StoreError> {
    if let StoreHandle::Versioned(store) = handle {
        // What nobody can see is dropped by each store in its own time.
        return Ok((store.borrow().visible_rows()?.into_iter().collect(), BTreeMap::new()));
    }
    let windowed = matches!(handle, StoreHandle::Window(_));
    let has_notes = !matches!(handle, StoreHandle::KeyValue(_));
    handle.with_store(|store| {
        let mut rows = BTreeMap::new();
        for row in store.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward)? {
            let (key, row) = row?;
            let start = WindowKey::decode_local(key.clone()).ok().filter(|_| windowed).map(|window| window.start);
            if start.is_none_or(|start| start >= expired_below) {
                rows.insert(key, row);
            }
        }
        let notes = notes.iter().filter(|_| has_notes).map(|name| Ok((name.clone(), store.meta(name)?)));
        Ok((rows, notes.collect::<Result<_, StoreError>>()?))
    })
}
