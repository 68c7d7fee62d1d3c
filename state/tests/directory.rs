//! State folders: locks, names, and what happens when they cannot be used.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;

use tempfile::tempdir;
use tidemill_state::{StateDirectory, StoreError};

#[test]
fn one_instance_at_a_time() {
    let root = tempdir().unwrap();
    let first = StateDirectory::open(root.path(), "app").unwrap();
    let error = StateDirectory::open(root.path(), "app").unwrap_err();
    assert!(matches!(&error, StoreError::Locked { path } if path.ends_with("app")), "{error}");
    assert!(error.to_string().contains("stop that one"), "{error}");
    StateDirectory::open(root.path(), "other-app").unwrap();
    drop(first);
    StateDirectory::open(root.path(), "app").unwrap();
}

#[test]
fn a_folder_gives_all_its_holders_one_process_id() {
    let root = tempdir().unwrap();
    let id_of = |app: &str, fresh: &str| {
        StateDirectory::open(root.path(), app).unwrap().process_id(|| fresh.to_owned()).unwrap()
    };
    assert_eq!(id_of("app", "first"), "first");
    assert_eq!(id_of("app", "second"), "first");
    assert_eq!(id_of("other-app", "third"), "third");
    let directory = StateDirectory::open(root.path(), "app").unwrap();
    assert!(directory.tasks().unwrap().is_empty(), "it is no task");
    for damaged in [&b""[..], b"a/b", b"\xff"] {
        fs::write(root.path().join("app/.process-id"), damaged).unwrap();
        assert_eq!(directory.process_id(|| "fourth".to_owned()).unwrap(), "fourth");
    }
    assert!(directory.store_dir(".process-id", "x").is_err());
    assert!(StateDirectory::open(root.path(), "new").unwrap().process_id(|| "a/b".to_owned()).is_err());
}

#[test]
fn folders_are_made_when_needed() {
    let root = tempdir().unwrap();
    let directory = StateDirectory::open(&root.path().join("deep/er"), "app").unwrap();
    assert!(directory.tasks().unwrap().is_empty());
    let store = directory.store_dir("0_1", "counts").unwrap();
    assert!(!store.exists() && store.parent().unwrap().is_dir());
    assert_eq!(store.parent().unwrap(), directory.task_dir("0_1"));
    directory.store_dir("0_0", "counts").unwrap();
    assert_eq!(directory.tasks().unwrap(), ["0_0", "0_1"]);
    directory.remove_task("0_0").unwrap();
    directory.remove_task("0_0").unwrap();
    assert_eq!(directory.tasks().unwrap(), ["0_1"]);
}

#[test]
fn a_file_where_a_folder_must_be() {
    let root = tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = |error: StoreError| assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
    refused(StateDirectory::open(&file, "app").unwrap_err());
    refused(StateDirectory::open(root.path(), "file").unwrap_err());
    let directory = StateDirectory::open(root.path(), "app").unwrap();
    fs::write(directory.task_dir("0_0"), "").unwrap();
    refused(directory.store_dir("0_0", "counts").unwrap_err());
}

#[test]
fn names_stay_inside_the_folder() {
    let root = tempdir().unwrap();
    for name in ["", ".", "..", "../app", "a/b", "a\\b", "a b", "ä", ".lock", &"a".repeat(201)] {
        let error = StateDirectory::open(root.path(), name).unwrap_err();
        assert!(matches!(error, StoreError::Name { .. }), "{name}: {error}");
    }
    let directory = StateDirectory::open(root.path(), "My.app-1_x").unwrap();
    assert!(directory.store_dir("0_0", "../x").is_err());
    assert!(directory.store_dir("..", "x").is_err());
    assert!(directory.remove_task("..").is_err());
}

#[test]
fn quarantine_numbers_and_deletes_nothing() {
    let root = tempdir().unwrap();
    let directory = StateDirectory::open(root.path(), "app").unwrap();
    let store = directory.store_dir("0_0", "counts").unwrap();
    for number in 1..=3 {
        fs::create_dir(&store).unwrap();
        fs::write(store.join("data"), number.to_string()).unwrap();
        let aside = directory.quarantine("0_0", "counts").unwrap();
        assert!(aside.ends_with(format!("counts.corrupt-{number}")));
        assert!(!store.exists());
    }
    let first = directory.task_dir("0_0").join("counts.corrupt-1/data");
    assert_eq!(fs::read_to_string(first).unwrap(), "1");
    assert!(matches!(directory.quarantine("0_0", "counts"), Err(StoreError::Unreadable { .. })));
}
