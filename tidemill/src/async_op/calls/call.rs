//! One call: an executor's work on a request, from its reading to its answer.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;

use crate::{
    async_op::{CallError, FailureKind, Usage},
    transport::{ConsumedRecord, TopicPartition},
};

/// A call's number within its executor. Numbers rise in the order in which requests were read.
pub(in crate::async_op) type CallId = u64;

/// A request as it was read.
#[derive(Debug)]
pub(in crate::async_op) struct Arrival {
    pub(in crate::async_op) partition: TopicPartition,
    pub(in crate::async_op) record: ConsumedRecord,
    /// Tells the request from all others, in the ledger too.
    pub(in crate::async_op) fingerprint: u64,
    pub(in crate::async_op) lane: Bytes,
    pub(in crate::async_op) tenant: Arc<str>,
    /// Wall time of the request, if it is known.
    pub(in crate::async_op) asked_ms: Option<i64>,
    /// When an answer is no longer useful, on the monotonic clock.
    pub(in crate::async_op) due_ms: Option<i64>,
    /// Steps that executors have kept which are gone.
    pub(in crate::async_op) steps: Vec<Bytes>,
    /// Whether the request was answered before, and is asked again.
    pub(in crate::async_op) again: bool,
}

/// A request that was read and has no answer yet.
#[derive(Debug)]
pub(in crate::async_op) struct Call {
    pub(in crate::async_op) arrival: Arrival,
    pub(super) stage: Stage,
    /// Attempts so far on each route, and whether the route is out of question for this request.
    pub(super) routes: Vec<Tried>,
    /// The number of attempts begun, on all routes.
    pub(super) attempts: u32,
    /// The attempts that run.
    pub(super) running: Vec<u32>,
    /// The route of the last attempt.
    pub(super) route: usize,
    pub(super) usage: Usage,
    /// What the answer depends on. Known from the first try on.
    pub(super) content: Option<Bytes>,
    pub(super) prepared: bool,
    /// Calls with the same content that wait for this one's answer.
    pub(super) followers: BTreeSet<CallId>,
    pub(super) repeated: bool,
    /// Whether a hedge gave the answer.
    pub(super) hedged: bool,
    /// When the last pause ends.
    pub(super) pauses_until_ms: i64,
    /// Until when it waits for routes that fail; `None` before it first did.
    pub(super) patient_until_ms: Option<i64>,
    pub(super) failed: Option<(FailureKind, CallError)>,
    /// What the caller told about its last attempt.
    pub(super) details: String,
}

/// What a call has tried on a route.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tried {
    pub(super) attempts: u32,
    pub(super) ruled_out: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is in the queue.
    Waiting,
    /// An attempt may start when the ledger has granted this reservation.
    Reserving,
    /// Attempts run.
    Calling,
    /// It comes back to the queue at its timer.
    Pausing,
    /// It gets the answer of this call, which has the same content.
    Joined(CallId),
}

impl Call {
    pub(super) fn new(arrival: Arrival, routes: usize) -> Self {
        Self {
            repeated: arrival.again,
            arrival,
            stage: Stage::Waiting,
            routes: vec![Tried::default(); routes],
            attempts: 0,
            running: Vec::new(),
            route: 0,
            usage: Usage::default(),
            content: None,
            prepared: false,
            followers: BTreeSet::new(),
            hedged: false,
            pauses_until_ms: 0,
            patient_until_ms: None,
            failed: None,
            details: String::new(),
        }
    }

    /// Whether a newer request may take this one's place: it is not being called.
    pub(super) const fn waits(&self) -> bool {
        !matches!(self.stage, Stage::Calling)
    }

    /// The steps kept so far.
    pub(in crate::async_op) fn steps(&self) -> &[Bytes] {
        &self.arrival.steps
    }

    /// Whether an attempt still counts.
    pub(in crate::async_op) fn runs(&self, attempt: u32) -> bool {
        self.running.contains(&attempt)
    }

    /// The number of the last attempt.
    pub(in crate::async_op) const fn attempt(&self) -> u32 {
        self.attempts
    }
}
