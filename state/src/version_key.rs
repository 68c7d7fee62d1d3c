//! The rows of versions.

use bytes::Bytes;

use crate::{CodecError, Row};

/// The bytes of the time behind the key.
pub(crate) const SUFFIX_BYTES: usize = 8;

/// A key and the time of one of its versions, as the row of a versioned store.
///
/// ```
/// use bytes::Bytes;
/// use tidemill_state::{Row, VersionKey};
///
/// // A changelog has the key, the plain value, and the time of the version as the record's time. A deletion is a null.
/// let (local, row) = VersionKey::from_changelog(b"tea", Some(Bytes::from("3.00")), 7).expect("7 is a valid time");
/// let version = VersionKey::decode(local.clone())?;
/// assert_eq!((&version.key[..], version.timestamp), (&b"tea"[..], 7));
/// assert_eq!(VersionKey::value(&row), Some(&Bytes::from("3.00")));
/// let (_, deletion) = VersionKey::from_changelog(b"tea", None, 9).expect("9 is a valid time");
/// assert_eq!(VersionKey::value(&deletion), None);
/// # Ok::<(), tidemill_state::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionKey {
    /// The encoded key.
    pub key: Bytes,
    /// The time from which on the version is valid.
    pub timestamp: i64,
}

impl VersionKey {
    /// Takes a row's key apart. See the example of [`VersionKey`].
    ///
    /// # Errors
    ///
    /// If the bytes are not the key of a version.
    pub fn decode(local: Bytes) -> Result<Self, CodecError> {
        let Some(at) = local.len().checked_sub(SUFFIX_BYTES) else {
            let reason = format!("it has {} bytes", local.len());
            return Err(CodecError::Malformed { expected: "the key of a version, of at least 8 bytes", reason });
        };
        let mut time = [0; SUFFIX_BYTES];
        time.copy_from_slice(&local[at..]);
        Ok(Self { key: local.slice(..at), timestamp: i64::from_be_bytes(time) })
    }

    /// The key of the row. See the example of [`VersionKey`].
    pub fn encode(&self) -> Bytes {
        local_key(&self.key, self.timestamp)
    }

    /// The row of a changelog's record; `None` if its time is negative, which no version has. See the example of
    /// [`VersionKey`].
    pub fn from_changelog(key: &[u8], value: Option<Bytes>, timestamp: i64) -> Option<(Bytes, Row)> {
        let row = value.map_or_else(|| deletion(timestamp), |value| Row { timestamp, value });
        (timestamp >= 0).then(|| (local_key(key, timestamp), row))
    }

    /// The value of a version's row; `None` for a deletion. See the example of [`VersionKey`].
    pub fn value(row: &Row) -> Option<&Bytes> {
        (!is_deletion(row)).then_some(&row.value)
    }
}

pub(crate) fn local_key(key: &[u8], timestamp: i64) -> Bytes {
    let mut local = Vec::with_capacity(key.len() + SUFFIX_BYTES);
    local.extend_from_slice(key);
    local.extend_from_slice(&timestamp.to_be_bytes());
    local.into()
}

/// The row of a deletion.
pub(crate) fn deletion(timestamp: i64) -> Row {
    Row { timestamp: !timestamp, value: Bytes::new() }
}

pub(crate) fn is_deletion(row: &Row) -> bool {
    row.timestamp < 0
}

/// The time of a version.
pub(crate) fn time_of(row: &Row) -> i64 {
    if is_deletion(row) { !row.timestamp } else { row.timestamp }
}
