//! A backend in memory: for tests, and for stores that a changelog rebuilds fast enough.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use bytes::Bytes;

use crate::backend::is_empty_range;
use crate::{Backend, Batch, Direction, Row, Rows, StoreError};

/// The memory that a row needs besides its bytes: two handles, a timestamp and its share of a tree node.
pub(crate) const ROW_OVERHEAD_BYTES: usize = 96;

/// Sorted rows in memory. They are lost when the process ends.
#[derive(Debug, Clone, Default)]
pub struct MemoryBackend {
    rows: BTreeMap<Bytes, Row>,
    meta: HashMap<String, Bytes>,
    checkpoint: Option<i64>,
    bytes: usize,
}

impl MemoryBackend {
    /// Creates an empty backend. See the example of [`ByteStore`](crate::ByteStore).
    pub fn new() -> Self {
        Self::default()
    }

    fn delete_below(&mut self, key: &Bytes) {
        while let Some(first) = self.rows.first_entry().filter(|first| first.key() < key) {
            let (key, row) = first.remove_entry();
            self.bytes -= cost(&key, &row);
        }
    }

    fn put(&mut self, key: Bytes, row: Row) {
        let added = cost(&key, &row);
        let key_len = key.len();
        if let Some(old) = self.rows.insert(key, row) {
            self.bytes -= key_len + old.value.len() + ROW_OVERHEAD_BYTES;
        }
        self.bytes += added;
    }

    fn delete(&mut self, key: &[u8]) {
        if let Some((key, row)) = self.rows.remove_entry(key) {
            self.bytes -= cost(&key, &row);
        }
    }
}

impl Backend for MemoryBackend {
    fn get(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        Ok(self.rows.get(key).cloned())
    }

    fn scan(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, direction: Direction) -> Result<Rows<'_>, StoreError> {
        if is_empty_range(from, to) {
            return Ok(Box::new(std::iter::empty()));
        }
        let rows = self.rows.range::<[u8], _>((from, to)).map(|(key, row)| Ok((key.clone(), row.clone())));
        Ok(match direction {
            Direction::Forward => Box::new(rows),
            Direction::Reverse => Box::new(rows.rev()),
        })
    }

    fn write(&mut self, batch: Batch) -> Result<(), StoreError> {
        if let Some(key) = &batch.delete_below {
            self.delete_below(key);
        }
        for (key, row) in batch.rows {
            match row {
                Some(row) => self.put(key, row),
                None => self.delete(&key),
            }
        }
        self.meta.extend(batch.meta);
        self.checkpoint = batch.checkpoint.or(self.checkpoint);
        Ok(())
    }

    fn meta(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.meta.get(key).cloned())
    }

    fn checkpoint(&self) -> Result<Option<i64>, StoreError> {
        Ok(self.checkpoint)
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn clear(&mut self) -> Result<(), StoreError> {
        *self = Self::default();
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.bytes as u64
    }

    fn approximate_len(&self) -> Result<u64, StoreError> {
        Ok(self.rows.len() as u64)
    }
}

fn cost(key: &[u8], row: &Row) -> usize {
    key.len() + row.value.len() + ROW_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_follows_every_change() {
        let row = |value: &'static str| Some(Row { timestamp: 0, value: Bytes::from(value) });
        let rows = |rows| Batch { rows, ..Batch::default() };
        let mut backend = MemoryBackend::new();
        backend.write(rows(vec![("a".into(), row("long value")), ("b".into(), row("x"))])).unwrap();
        backend.write(rows(vec![("a".into(), row("y"))])).unwrap();
        assert_eq!(backend.size_bytes(), 2 * (2 + ROW_OVERHEAD_BYTES as u64));
        backend.write(rows(vec![("b".into(), None), ("c".into(), None)])).unwrap();
        backend.write(Batch { delete_below: Some("b".into()), ..Batch::default() }).unwrap();
        assert_eq!(backend.size_bytes(), 0);
    }
}
