//! The keys of a store's rows: which part of them is the record's key.

use std::{fmt, sync::Arc};

use tidemill_state::Codec;

/// The part of an encoded key that chooses its partition.
type PartitionBytes = Arc<dyn for<'a> Fn(&'a [u8]) -> &'a [u8] + Send + Sync>;

/// How the rows of a store are named after the keys of records.
#[derive(Clone)]
pub(crate) struct RowKeys {
    /// The possible prefixes before the record's key.
    before: &'static [&'static [u8]],
    /// The number of bytes after the record's key.
    after: usize,
    /// Rows that begin with this byte begin with [`RowKeys::length_prefix`] of the part that chooses their partition.
    by_length: Option<u8>,
    part: PartitionBytes,
    pub(crate) content: Content,
}

/// What the rows of a store are. An erasure counts each kind apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// The state of a step.
    Rows,
    /// Requests without an answer.
    Calls,
    /// The times of keys.
    Times,
}

impl RowKeys {
    /// Rows whose key is the record's key.
    pub(crate) fn of<K: 'static>(codec: Arc<dyn Codec<K>>) -> Self {
        let part: PartitionBytes = Arc::new(move |key| codec.partition_bytes(key));
        Self { before: &[&[]], after: 0, by_length: None, part, content: Content::Rows }
    }

    /// Sets the possible prefixes before the record's key.
    pub(crate) fn behind(self, before: &'static [&'static [u8]]) -> Self {
        Self { before, ..self }
    }

    /// Sets the number of bytes after the record's key.
    pub(crate) fn before(self, after: usize) -> Self {
        Self { after, ..self }
    }

    /// Adds rows that begin with this byte, and then with the length and the bytes of the part that chooses their
    /// partition.
    pub(crate) fn by_length(self, first: u8) -> Self {
        Self { by_length: Some(first), ..self }
    }

    /// A byte, the length of a part, and the part: no other part has rows with this prefix.
    pub(crate) fn length_prefix(first: u8, part: &[u8]) -> Vec<u8> {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        [&[first][..], &length.to_be_bytes(), part].concat()
    }

    /// Sets what the rows are.
    pub(crate) fn holding(self, content: Content) -> Self {
        Self { content, ..self }
    }

    /// The prefixes of a key's rows. Rows of other keys may have the same prefixes.
    pub(crate) fn prefixes(&self, part: &[u8]) -> Vec<Vec<u8>> {
        let by_length = self.by_length.map(|first| Self::length_prefix(first, part));
        self.before.iter().map(|before| [before, part].concat()).chain(by_length).collect()
    }

    /// The record's key within a row's key, if `part` chooses its partition. Of a row by length it is the part: the row's
    /// key has no more of the record's key.
    pub(crate) fn find<'a>(&self, row: &'a [u8], part: &[u8]) -> Option<&'a [u8]> {
        if self.by_length.is_some_and(|first| row.first() == Some(&first)) {
            let start = size_of::<u8>() + size_of::<u32>();
            let prefix = Self::length_prefix(row[0], part);
            return row.starts_with(&prefix).then(|| &row[start..prefix.len()]);
        }
        let behind = self.before.iter().find_map(|before| row.strip_prefix(*before))?;
        let key = behind.get(..behind.len().checked_sub(self.after)?)?;
        ((self.part)(key) == part).then_some(key)
    }
}

impl fmt::Debug for RowKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowKeys").field("content", &self.content).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tidemill_state::{Coded, Utf8};

    use super::*;
    use crate::windows::Windowed;

    #[test]
    fn the_rows_of_a_key_are_told_from_those_of_longer_ones() {
        let plain = RowKeys::of(Arc::new(Utf8));
        assert_eq!(plain.prefixes(b"ann"), [b"ann"]);
        assert_eq!((plain.find(b"ann", b"ann"), plain.find(b"anna", b"ann")), (Some(&b"ann"[..]), None));
        let requests = plain.behind(&[&[1]]).before(8);
        assert_eq!(requests.find(b"\x01ann12345678", b"ann"), Some(&b"ann"[..]));
        assert_eq!(requests.find(b"\x00ann12345678", b"ann"), None);
        assert_eq!(requests.find(b"\x01ann", b"ann"), None, "shorter than any");
    }

    #[test]
    fn rows_by_length_are_of_one_part() {
        let rows = RowKeys::of(Arc::new(Utf8)).behind(&[&[1]]).before(8).by_length(2);
        let ann = RowKeys::length_prefix(2, b"ann");
        assert_eq!(rows.prefixes(b"ann"), [b"\x01ann".to_vec(), ann.clone()]);
        let row = [&*ann, b"12345678"].concat();
        assert_eq!((rows.find(&row, b"ann"), rows.find(&row, b"anna")), (Some(&b"ann"[..]), None));
        assert_eq!(rows.find(b"\x01ann12345678", b"ann"), Some(&b"ann"[..]));
    }

    #[test]
    fn windowed_keys_are_their_inner_keys() {
        let windowed = RowKeys::of::<Windowed<String>>(Arc::new(<Windowed<String> as Coded>::Codec::default()));
        let row = [b"ann".as_slice(), &[7; 16]].concat();
        assert_eq!(windowed.find(&row, b"ann"), Some(&*row));
        assert_eq!(windowed.find(&row, b"an"), None);
    }
}
