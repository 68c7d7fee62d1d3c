//! `RocksDB` stores after crashes and damage.

#![cfg(feature = "rocksdb")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs::{self, File};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use common::{bytes, open_rocksdb, row};
use tempfile::{TempDir, tempdir};
use tidemill_state::{ByteStore, Direction, StoreError};

const CRASH_PATH: &str = "TIDEMILL_CRASH_PATH";
const CRASH_WAL: &str = "TIDEMILL_CRASH_WAL";
const CRASH_BEGINS: &str = "TIDEMILL_CRASH_BEGINS";
const CRASH_CLEARS: &str = "TIDEMILL_CRASH_CLEARS";
const COMMITS: i64 = 400;
const FLUSHED: i64 = 10;

fn open(path: &Path, wal: bool) -> Result<ByteStore, StoreError> {
    Ok(ByteStore::new("store", Box::new(open_rocksdb(path, wal)?)))
}

/// Commit `n` adds row `n`, replaces the row "last", and has checkpoint `n`.
fn commit(store: &mut ByteStore, number: i64) {
    store.put(Bytes::copy_from_slice(&number.to_be_bytes()), row(&"x".repeat(1_000)));
    store.put(bytes("last"), row(&number.to_string()));
    store.set_meta("last", bytes(&number.to_string()));
    store.commit(Some(number)).unwrap();
}

/// The number of the last commit of a store that shows all of every commit up to it.
fn last_whole_commit(store: &ByteStore) -> i64 {
    let last = store.checkpoint().unwrap().unwrap();
    let rows = store.scan(Bound::Unbounded, Bound::Excluded(b"last"), Direction::Forward).unwrap();
    let numbers = rows.map(|row| i64::from_be_bytes(row.unwrap().0.as_ref().try_into().unwrap()));
    assert!(numbers.eq(1..=last));
    assert_eq!(store.get(b"last").unwrap(), Some(row(&last.to_string())));
    assert_eq!(store.meta("last").unwrap(), Some(bytes(&last.to_string())));
    last
}

/// Not a test of its own: the process that `crash` starts, and that dies without closing its store.
#[test]
#[ignore = "started by the tests of crashes"]
fn dies() {
    let Some(path) = std::env::var_os(CRASH_PATH) else {
        return;
    };
    let mut store = open(path.as_ref(), std::env::var_os(CRASH_WAL).is_some()).unwrap();
    for number in 1..=COMMITS {
        commit(&mut store, number);
        if number == FLUSHED {
            store.flush().unwrap();
        } else if number % 10 == 0 && std::env::var_os(CRASH_BEGINS).is_some() {
            store.begin_flush().unwrap();
        }
    }
    if std::env::var_os(CRASH_CLEARS).is_some() {
        store.clear().unwrap();
    }
    std::process::abort();
}

fn crash(switches: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("store");
    let mut process = Command::new(std::env::current_exe().unwrap());
    process.args(["--exact", "dies", "--ignored"]).env(CRASH_PATH, &path);
    process.envs(switches.iter().map(|switch| (switch, "1")));
    assert!(!process.output().unwrap().status.success());
    (folder, path)
}

#[test]
fn a_crash_leaves_an_older_whole_commit() {
    let (_folder, path) = crash(&[]);
    let mut store = open(&path, false).unwrap();
    let last = last_whole_commit(&store);
    // Later than the explicit flush, as buffers fill, but not all: nothing else was flushed.
    assert!((FLUSHED..COMMITS).contains(&last), "{last}");
    for number in last + 1..=COMMITS {
        commit(&mut store, number);
    }
    assert_eq!(last_whole_commit(&store), COMMITS);
}

#[test]
fn a_crash_in_a_flush_that_nobody_waits_for_leaves_a_whole_commit() {
    for _ in 0..5 {
        let (_folder, path) = crash(&[CRASH_BEGINS]);
        let last = last_whole_commit(&open(&path, false).unwrap());
        assert!((FLUSHED..=COMMITS).contains(&last), "{last}");
    }
}

#[test]
fn rows_wait_for_a_flush_from_when_somebody_first_looks() {
    let folder = tempdir().unwrap();
    let mut store = open(&folder.path().join("store"), false).unwrap();
    assert!(!store.has_waited(0, 0), "there is nothing");
    commit(&mut store, 1);
    assert!(!store.has_waited(100, 20) && !store.has_waited(119, 20) && store.has_waited(120, 20));
    // A clock that was set back counts anew.
    assert!(!store.has_waited(50, 20) && store.has_waited(70, 20));
    store.begin_flush().unwrap();
    assert!(!store.has_waited(1_000, 20), "they wait no more");
}

#[test]
fn a_crash_with_a_log_loses_no_commit() {
    let (_folder, path) = crash(&[CRASH_WAL]);
    assert_eq!(last_whole_commit(&open(&path, true).unwrap()), COMMITS);
}

#[test]
fn a_clear_survives_a_crash() {
    let (_folder, path) = crash(&[CRASH_CLEARS]);
    let store = open(&path, false).unwrap();
    assert_eq!(store.checkpoint().unwrap(), None);
    assert!(store.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap().next().is_none());
}

/// A closed store with rows in a file.
fn closed_store() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("store");
    let mut store = open(&path, false).unwrap();
    (1..=40).for_each(|number| commit(&mut store, number));
    store.flush().unwrap();
    (folder, path)
}

fn files(store: &Path, part: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = entries.filter(|path| path.file_name().unwrap().to_str().unwrap().contains(part)).collect();
    assert!(!found.is_empty(), "no {part} in {}", store.display());
    found
}

fn cut(file: &Path, len: u64) {
    File::options().write(true).open(file).unwrap().set_len(len).unwrap();
}

fn check_corrupted(damage: impl Fn(&Path)) {
    let (_folder, path) = closed_store();
    damage(&path);
    let read_all = |store: ByteStore| {
        store.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward)?.try_for_each(|row| row.map(drop))
    };
    let error = open(&path, false).and_then(read_all).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupted { store, .. } if store == "store"), "{error:?}");
}

#[test]
fn a_scrambled_pointer_is_corruption() {
    check_corrupted(|store| fs::write(store.join("CURRENT"), "scrambled").unwrap());
    check_corrupted(|store| fs::write(store.join("CURRENT"), "MANIFEST-999999\n").unwrap());
    check_corrupted(|store| fs::write(store.join("CURRENT"), "").unwrap());
}

#[test]
fn a_missing_pointer_is_corruption_not_a_new_store() {
    check_corrupted(|store| fs::remove_file(store.join("CURRENT")).unwrap());
}

#[test]
fn a_cut_or_missing_manifest_is_corruption() {
    let cut = |len| move |store: &Path| cut(&files(store, "MANIFEST-")[0], len);
    check_corrupted(cut(0));
    check_corrupted(cut(40));
    check_corrupted(|store| fs::remove_file(&files(store, "MANIFEST-")[0]).unwrap());
}

#[test]
fn a_cut_scrambled_or_missing_table_is_corruption() {
    check_corrupted(|store| {
        for table in files(store, ".sst") {
            cut(&table, 100);
        }
    });
    check_corrupted(|store| {
        for table in files(store, ".sst") {
            let mut content = fs::read(&table).unwrap();
            let half = content.len() / 2;
            content[..half].fill(0x5a);
            fs::write(table, content).unwrap();
        }
    });
    check_corrupted(|store| {
        for table in files(store, ".sst") {
            fs::remove_file(table).unwrap();
        }
    });
}

#[test]
fn folders_in_use_or_no_folders_are_told_apart() {
    let (folder, path) = closed_store();
    let _held = open(&path, false).unwrap();
    let error = open(&path, false).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file, false).unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
    let error = open(&file.join("store"), false).unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
}
