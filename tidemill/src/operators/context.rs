//! The context that the operators of one task share: time, position, outputs, counters.

use std::{collections::BTreeMap, convert::Infallible, error::Error, fmt};

use bytes::Bytes;
use tidemill_state::{BoxError, Codec, CodecError, StoreError};

use super::processor::{Metrics, Punctuation, PunctuationType};
use super::{Refused, Rules, Undo};
use crate::{
    clock::Moment,
    graph::NodeId,
    table::Change,
    transport::{Offset, ProducerRecord},
};

/// An operator that closes windows pauses when it has emitted this much.
const FULL_BYTES: usize = 1 << 20;
const FULL_RESULTS: usize = 1 << 14;

/// Why an operator cannot process a record.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The user's code returned an error.
    User(BoxError),
    /// A store failed.
    Store(StoreError),
    /// A key or value could not be encoded or decoded.
    Codec(CodecError),
    /// The log would not take an output.
    Refused(Refused),
    /// The handler has decided that the failure does not pass.
    Decided {
        /// Whether the thread is replaced.
        replaces: bool,
        failure: Box<Failure>,
    },
}

impl Failure {
    /// The error that a function of the user returned.
    #[expect(clippy::unnecessary_box_returns, reason = "operators return their failures in a box")]
    pub(crate) fn of_user(error: impl Into<BoxError>) -> Box<Self> {
        Box::new(Self::User(error.into()))
    }

    /// A failure that no handler is asked about.
    #[expect(clippy::unnecessary_box_returns, reason = "operators return their failures in a box")]
    pub(crate) fn decided(text: String) -> Box<Self> {
        Box::new(Self::Decided { replaces: false, failure: Self::of_user(text) })
    }

    /// The error behind the failure.
    pub(crate) fn error(&self) -> &(dyn Error + 'static) {
        match self {
            Self::User(error) => &**error,
            Self::Store(error) => error,
            Self::Codec(error) => error,
            Self::Refused(error) => error,
            Self::Decided { failure, .. } => failure.error(),
        }
    }

    /// Whether the failure concerns only this record. A record that decodes later must not be given up, and a store
    /// failure affects all records.
    pub(crate) const fn is_about_records(&self) -> bool {
        match self {
            Self::User(_) | Self::Refused(_) => true,
            Self::Codec(CodecError::NotYet { .. }) | Self::Store(_) | Self::Decided { .. } => false,
            Self::Codec(_) => true,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.error(), f)
    }
}

/// An operator's result; small, because it is returned at every hop.
pub(crate) type Outcome = Result<(), Box<Failure>>;

/// What a function returns that changes an aggregate: nothing if it cannot fail, otherwise a result.
pub(crate) trait Folded {
    fn outcome(self) -> Outcome;
}

impl Folded for () {
    #[inline]
    fn outcome(self) -> Outcome {
        Ok(())
    }
}

impl<E: Into<Box<Failure>>> Folded for Result<(), E> {
    #[inline]
    fn outcome(self) -> Outcome {
        self.map_err(E::into)
    }
}

impl From<StoreError> for Box<Failure> {
    fn from(error: StoreError) -> Self {
        Self::new(Failure::Store(error))
    }
}

impl From<Infallible> for Box<Failure> {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<CodecError> for Box<Failure> {
    fn from(error: CodecError) -> Self {
        Self::new(Failure::Codec(error))
    }
}

/// Why a record was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DropReason {
    /// Its window had closed, or it is older than the history that its table keeps.
    Late,
    /// It is older than what its key has in a versioned table, so that a join of tables has no use for it.
    OutOfOrder,
    /// It has no key and cannot be grouped.
    NullKey,
    /// It has no value and cannot be joined.
    NullValue,
    /// Its timestamp is negative or too large for windows.
    InvalidTimestamp,
    /// Its timestamp is not plausible, and the handler skipped it.
    ImplausibleTimestamp,
    /// Its bytes could not be decoded, and the handler skipped it.
    Undecodable,
    /// An operator returned an error for it, and the handler skipped it.
    Processing,
    /// The log would not take its result, and the handler skipped it.
    Refused,
    /// It answers a request that was already answered or withdrawn.
    Duplicate,
    /// Its partitioner chose no partition.
    NoPartition,
    /// It has no foreign key and cannot be joined.
    NullForeignKey,
    /// It answers a value that its key no longer has.
    Outdated,
    /// It says that nobody wants its request to be answered any more.
    Dropped,
}

impl DropReason {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::OutOfOrder => "out-of-order",
            Self::NullKey => "null-key",
            Self::NullValue => "null-value",
            Self::InvalidTimestamp => "invalid-timestamp",
            Self::NullForeignKey => "null-foreign-key",
            Self::Outdated => "outdated",
            Self::ImplausibleTimestamp => "implausible-timestamp",
            Self::Undecodable => "undecodable",
            Self::Processing => "processing-error",
            Self::Refused => "production-error",
            Self::Duplicate => "duplicate",
            Self::NoPartition => "no-partition",
            Self::Dropped => "dropped",
        }
    }
}

/// A punctuation that a processor scheduled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) node: NodeId,
    pub(crate) id: Punctuation,
    pub(crate) kind: PunctuationType,
    pub(crate) interval_ms: i64,
    pub(crate) due_ms: i64,
}

/// The part of a task that its operators see.
#[derive(Debug)]
pub(crate) struct TaskContext {
    /// Records to send, in order.
    pub(crate) outputs: Vec<ProducerRecord>,
    /// The operator that has the record. After a panic, the operator that panicked.
    pub(crate) node: NodeId,
    /// The task's queue that the record came from; `None` between records.
    pub(crate) queue: Option<usize>,
    /// The record's offset.
    pub(crate) offset: Offset,
    /// For each queue, the offset of the last record taken; -1 before the first. Empty unless an operator reads it.
    pub(crate) taken: Vec<Offset>,
    /// The highest timestamp taken from any queue; -1 before the first record.
    pub(crate) stream_time_ms: i64,
    /// The monotonic clock as the runtime last reported it. Punctuations use it.
    pub(crate) monotonic_ms: i64,
    /// How long, since the task was opened, all inputs of the task were silent. Idle time uses only this clock, which
    /// never falls. Inputs are silent while the task's thread waits for records and has read all available ones. Below
    /// a repartition topic, the upstream tasks report their silence.
    pub(crate) idle_ms: i64,
    /// The wall clock as the runtime last reported it, for processors to read. It can be set back.
    pub(crate) wall_ms: i64,
    /// How far a late record, which is being processed, is behind the time of its windows; otherwise `None`.
    pub(crate) late_by_ms: Option<i64>,
    /// Records dropped, by operator and reason.
    pub(crate) dropped: BTreeMap<(NodeId, DropReason), u64>,
    /// Metrics of processors.
    pub(crate) metrics: Metrics,
    /// Punctuations of all operators.
    pub(crate) schedules: Vec<Schedule>,
    /// The number of punctuation ids that were assigned.
    pub(crate) next_punctuation: u32,
    /// Whether a processor asked for a commit as soon as possible.
    pub(crate) commit_requested: bool,
    /// Whether records that an operator rejects may be left out, as the handlers decide.
    pub(crate) leaves_out: bool,
    /// The handlers.
    pub(crate) rules: Rules,
    /// The changes of the current record that can be undone.
    pub(crate) undo: Undo,
    /// The bytes of records sent and the results emitted since the runtime last took the outputs.
    pub(crate) sent_bytes: usize,
    pub(crate) results: usize,
    /// Whether an operator stopped emitting because there was no room. It continues before the next record.
    pub(crate) unfinished: bool,
    /// The operator that still works on the last record. Until it is done, the record counts as not taken.
    pub(crate) held_by: Option<NodeId>,
    /// The approximate number of cached bytes that the next commit writes to stores.
    pub(crate) cached_bytes: usize,
    /// The approximate number of bytes that an operator may keep cached after a commit.
    pub(crate) cache_max_bytes: usize,
}

impl TaskContext {
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            outputs: Vec::new(),
            node: NodeId(0),
            queue: None,
            offset: 0,
            taken: Vec::new(),
            stream_time_ms: -1,
            monotonic_ms: now.monotonic_ms,
            wall_ms: now.wall_ms,
            idle_ms: 0,
            late_by_ms: None,
            dropped: BTreeMap::new(),
            metrics: Metrics::default(),
            schedules: Vec::new(),
            next_punctuation: 0,
            commit_requested: false,
            leaves_out: false,
            rules: Rules::default(),
            undo: Undo::default(),
            sent_bytes: 0,
            results: 0,
            unfinished: false,
            held_by: None,
            cached_bytes: 0,
            cache_max_bytes: usize::MAX,
        }
    }

    /// Whether the key is null. If it is, the record counts as dropped by the current operator.
    #[inline]
    pub(crate) fn drops_null<K: 'static>(&mut self, codec: &dyn Codec<K>, key: &K) -> bool {
        let null = codec.is_null(key);
        if null {
            self.count_dropped(self.node, DropReason::NullKey);
        }
        null
    }

    /// Whether a change brings an older version to a join of tables. If it does, it counts as dropped by the current
    /// operator (KIP-914).
    #[inline]
    pub(crate) fn drops_out_of_order<V>(&mut self, change: &Change<V>) -> bool {
        if !change.is_latest {
            self.count_dropped(self.node, DropReason::OutOfOrder);
        }
        !change.is_latest
    }

    pub(crate) fn count_dropped(&mut self, node: NodeId, reason: DropReason) {
        *self.dropped.entry((node, reason)).or_default() += 1;
        self.on_undo(|_| {
            move |ctx: &mut Self| {
                if let Some(count) = ctx.dropped.get_mut(&(node, reason)) {
                    *count -= 1;
                }
            }
        });
    }

    /// Notes that the record at this offset of a queue is taken.
    #[inline]
    pub(crate) fn note_taken(&mut self, queue: usize, offset: Offset) {
        if let Some(taken) = self.taken.get_mut(queue) {
            *taken = offset;
        }
    }

    /// Sends a record with the task's outputs.
    #[inline]
    pub(crate) fn send(&mut self, record: ProducerRecord) {
        self.sent_bytes += record.key.as_ref().map_or(0, Bytes::len) + record.value.as_ref().map_or(0, Bytes::len);
        self.outputs.push(record);
    }

    /// Whether enough was emitted for one turn. An operator with more to emit then stops, sets `unfinished`, and
    /// continues after the runtime has taken the outputs.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.sent_bytes >= FULL_BYTES || self.results >= FULL_RESULTS
    }

    /// Changes the scheduled punctuations.
    pub(crate) fn change_schedules(&mut self, change: impl FnOnce(&mut Vec<Schedule>)) {
        self.on_undo(|ctx| {
            let old = ctx.schedules.clone();
            move |ctx: &mut Self| ctx.schedules = old
        });
        change(&mut self.schedules);
    }
}
