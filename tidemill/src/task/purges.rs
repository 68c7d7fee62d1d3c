//! Finds the dead heads of a task's changelogs. The method depends on how a store's windows end.

use tidemill_state::{ByteWindowStore, SealedWindows, WindowKey};

use super::{purge::Purge, purge_by_key::PurgeByKey};
use crate::transport::Offset;

/// The state of one window store's changelog.
#[derive(Debug)]
pub(super) enum Head {
    /// Windows end by the partition's time.
    Partition(Purge),
    /// Windows end by their keys' times.
    Key(PurgeByKey),
}

impl Head {
    pub(super) fn new(store: &ByteWindowStore) -> Self {
        if store.ends_by_key() { Self::Key(PurgeByKey::default()) } else { Self::Partition(Purge::default()) }
    }

    /// The store was restored from a changelog that ends at `end`.
    pub(super) fn restored(&mut self, store: &ByteWindowStore, end: Offset) {
        match self {
            Self::Partition(purge) => purge.wrote(end, store.last_start().unwrap_or(-1), false),
            Self::Key(purge) => {
                *purge = PurgeByKey::default();
                purge.wrote(end, 0);
            }
        }
    }

    /// The store's sealed changes are in the changelog, which now ends at `end`.
    pub(super) fn wrote(&mut self, sealed: &SealedWindows, end: Offset) {
        match self {
            Self::Partition(purge) => purge.wrote(end, last_start(sealed), sealed.rows().sets_meta()),
            Self::Key(purge) => purge.wrote(end, sealed.epoch()),
        }
    }

    /// The offset up to which the changelog is dead.
    pub(super) fn dead(&mut self, store: &ByteWindowStore) -> Option<Offset> {
        match self {
            Self::Partition(purge) => purge.dead_below(store.committed_expired_before()),
            Self::Key(purge) => purge.dead_below(store.committed_kept_from()?),
        }
    }
}

/// The latest window start of the sealed rows; -1 if there are none. Rows are ordered by start, so the last row has it.
fn last_start(sealed: &SealedWindows) -> i64 {
    let last = sealed.rows().last_key();
    last.and_then(|key| WindowKey::decode_local(key.clone()).ok()).map_or(-1, |key| key.start)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidemill_state::{ByteStore, MemoryBackend, Row};

    use super::*;

    fn store(by_key: bool) -> ByteWindowStore {
        let store = ByteStore::new("windows", Box::new(MemoryBackend::new()));
        ByteWindowStore::new(store, 100).expect("opens").with_ends_by_key(by_key)
    }

    fn write(store: &mut ByteWindowStore, head: &mut Head, start: i64, end: Offset) {
        store.put(start, b"key", Row { timestamp: start, value: Bytes::from_static(b"1") });
        let sealed = store.seal();
        head.wrote(&sealed, end);
        store.commit_sealed(sealed, Some(end)).expect("commits");
    }

    #[test]
    fn a_store_knows_from_its_first_write_what_its_windows_end_by() {
        for by_key in [false, true] {
            let mut store = store(by_key);
            let mut head = Head::new(&store);
            assert_eq!(matches!(head, Head::Key(_)), by_key);
            for at in 1..=3 {
                write(&mut store, &mut head, at * 100, at * 10);
            }
            assert_eq!(head.dead(&store), None, "nothing is over");
        }
    }

    #[test]
    fn restored_rows_are_not_dead_before_somebody_says_so() {
        for by_key in [false, true] {
            let mut store = store(by_key);
            let mut head = Head::new(&store);
            write(&mut store, &mut head, 100, 10);
            store.restart_epochs();
            let mut head = Head::new(&store);
            head.restored(&store, 10);
            assert_eq!(head.dead(&store), None);
        }
    }
}
