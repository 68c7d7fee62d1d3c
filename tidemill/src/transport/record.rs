//! Records, topics and positions, as the log stores them.

use std::{fmt, sync::Arc};

use bytes::Bytes;

/// A topic's name. Clones share it.
pub type Topic = Arc<str>;

/// A position in a partition.
pub type Offset = i64;

/// The bounds of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The first existing offset.
    pub low: Offset,
    /// The next offset to be written.
    pub high: Offset,
}

/// One partition of a topic (`TopicPartition` in Kafka).
///
/// ```
/// use tidemill::transport::TopicPartition;
///
/// assert_eq!(TopicPartition::new("chat", 3).to_string(), "chat-3");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Topic,
    /// The partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Names a partition; partitions count from 0. See the example of [`TopicPartition`].
    pub fn new(topic: impl Into<Topic>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// One header: a name and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name. Several headers of a record may have the same name.
    pub key: String,
    /// Its bytes.
    pub value: Option<Bytes>,
}

/// A record's headers (`Headers` in Kafka). Empty headers use no memory on the heap. Clones share their headers.
///
/// ```
/// use tidemill::transport::Headers;
///
/// let mut headers = Headers::new();
/// assert!(headers.is_empty());
/// headers.push("trace", "one");
/// headers.push("trace", "two"); // Both stay.
/// assert_eq!(headers.iter().count(), 2);
/// assert_eq!(headers.last("trace").map(|value| &value[..]), Some(&b"two"[..]));
/// assert_eq!(headers.last("other"), None);
/// assert_eq!(headers.size(), 2 * ("trace".len() + "one".len()));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<Vec<Header>>>);

impl Headers {
    /// No headers. See the example of [`Headers`].
    pub const fn new() -> Self {
        Self(None)
    }

    /// Adds a header at the end. See the example of [`Headers`].
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<Bytes>) {
        let header = Header { key: key.into(), value: Some(value.into()) };
        Arc::make_mut(self.0.get_or_insert_default()).push(header);
    }

    /// The value of the last header with this name; `None` also if that value is null. See the example of [`Headers`].
    pub fn last(&self, key: &str) -> Option<&Bytes> {
        self.iter().filter(|header| header.key == key).last().and_then(|header| header.value.as_ref())
    }

    /// The headers in order. See the example of [`Headers`].
    pub fn iter(&self) -> impl Iterator<Item = &Header> {
        self.0.iter().flat_map(|headers| headers.iter())
    }

    /// The size of all names and values, in bytes. See the example of [`Headers`].
    pub fn size(&self) -> usize {
        self.iter().map(|header| header.key.len() + header.value.as_ref().map_or(0, Bytes::len)).sum()
    }

    /// Whether there are no headers. See the example of [`Headers`].
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|headers| headers.is_empty())
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        let headers: Vec<_> = headers.into_iter().collect();
        Self((!headers.is_empty()).then(|| Arc::new(headers)))
    }
}

/// A record as read. [`Fetched`] names its topic and partition.
///
/// ```
/// # use tidemill::transport::embedded::{EmbeddedLog, Entry};
/// # let log = EmbeddedLog::in_memory();
/// # log.create("chat", 1)?;
/// log.append("chat", 0, [Entry::new("ann", "hello", 7)])?;
/// let (_, record) = log.read_all("chat")?.remove(0);
/// assert_eq!((record.offset, record.timestamp, record.size()), (0, 7, 3 + 5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumedRecord {
    /// Its offset.
    pub offset: Offset,
    /// Event time, milliseconds since the epoch.
    pub timestamp: i64,
    /// Key bytes, `None` for null.
    pub key: Option<Bytes>,
    /// Value bytes, `None` for null.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
}

impl ConsumedRecord {
    /// The size of its key and value, in bytes. Headers do not count. See the example of [`ConsumedRecord`].
    pub fn size(&self) -> usize {
        [&self.key, &self.value].into_iter().flatten().map(Bytes::len).sum()
    }
}

/// Records of one partition, in offset order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The partition of the records.
    pub partition: TopicPartition,
    /// The records.
    pub records: Vec<ConsumedRecord>,
}

/// A record to send. The engine chooses the partition itself, so co-partitioning never depends on a client.
///
/// ```
/// use tidemill::transport::{Headers, ProducerRecord};
///
/// let (key, headers) = (Some("ann".into()), Headers::new());
/// let tombstone =
///     ProducerRecord { topic: "users".into(), partition: 0, timestamp: 7, key, value: None, headers };
/// assert_eq!(tombstone.size(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerRecord {
    /// The topic.
    pub topic: Topic,
    /// The partition of the topic, from 0.
    pub partition: i32,
    /// Event time, milliseconds since the epoch.
    pub timestamp: i64,
    /// Key bytes, `None` for null.
    pub key: Option<Bytes>,
    /// Value bytes, `None` for null: on a compacted topic, a tombstone.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
}

impl ProducerRecord {
    /// The size of its key and value, in bytes. Headers do not count. See the example of [`ProducerRecord`].
    pub fn size(&self) -> usize {
        [&self.key, &self.value].into_iter().flatten().map(Bytes::len).sum()
    }
}

/// A committed position: the next offset to read, with the committer's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: Offset,
    /// Text that is stored with the offset. Tidemill stores the partition's stream time here.
    pub metadata: String,
}

/// A member of a group, in a certain generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetadata {
    /// The group.
    pub group: String,
    /// The member's id, given by the group.
    pub member: String,
    /// Grows with each change of the member's assignment.
    pub generation: i32,
}
