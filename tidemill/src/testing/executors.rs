//! Executors of calls in a simulation. They start and stop, lose the log, and get answers at random moments.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tidemill_state::{Codec as _, Coded};

use super::{
    faults::{Fate, Process},
    faulty_transport::FaultyTransport,
};
use crate::{
    async_op::{AsyncCall, CallError, CallExecutor, CallPolicy, CallRequest, Reply},
    partitioner::partition_for,
    record::Data,
    transport::{TransportError, embedded::EmbeddedLog},
};

/// How often each request was called, and calls that should not have been made.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) attempts: BTreeMap<Bytes, usize>,
    pub(super) strays: Vec<String>,
}

/// The process of an executor, independent of its types.
pub(super) trait Executor {
    /// One random turn. Returns whether there was work.
    fn turn(&mut self) -> bool;
    /// The executor's consumer group.
    fn group(&self) -> &str;
    /// Whether calls are still unanswered.
    fn waits(&self) -> bool;
}

type Open<K, V, R> = Arc<Mutex<Vec<(CallRequest<K, V>, Reply<R>)>>>;

/// An executor of a call, with the function that answers the calls.
pub(super) struct Seat<K, V, R, A> {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) application_id: String,
    pub(super) call: AsyncCall<K, V, R>,
    pub(super) policy: CallPolicy,
    pub(super) log: EmbeddedLog,
    pub(super) fate: Fate,
    pub(super) calls: Arc<Mutex<Calls>>,
    pub(super) answer: A,
    pub(super) executor: Option<CallExecutor<K, V, R>>,
    pub(super) open: Open<K, V, R>,
}

impl<K, V, R, A> Seat<K, V, R, A>
where
    K: Data + Coded + Send,
    V: Data + Send,
    R: Send + 'static,
    A: Fn(&CallRequest<K, V>) -> Result<R, CallError>,
{
    fn begin(&mut self) -> Result<(), TransportError> {
        let process = Process::new(self.name.as_str(), self.fate.clone());
        process.note("starts");
        let transport = Arc::new(FaultyTransport { log: self.log.clone(), process });
        let (policy, clock) = (self.policy.clone(), Arc::new(self.fate.clock.clone()));
        let opened =
            CallExecutor::open_as(self.name.clone(), &self.call, &self.application_id, transport, policy, clock);
        self.executor = Some(opened?);
        Ok(())
    }

    fn end(&mut self, why: &str) {
        self.fate.note(&format!("{} {why}", self.name));
        self.executor = None;
        lock(&self.open).clear();
    }

    fn answer_some(&self) -> bool {
        let mut open = lock(&self.open);
        let number = self.fate.below(open.len() as u64) as usize;
        if open.is_empty() || self.fate.strikes(|rates| rates.slow_call) {
            return false;
        }
        let (request, reply) = open.remove(number);
        reply.send((self.answer)(&request));
        true
    }

    fn step(&mut self) -> Result<usize, TransportError> {
        let Some(executor) = &mut self.executor else { return Ok(0) };
        let (log, group, name) = (self.log.clone(), self.group.clone(), self.name.clone());
        let partitions = log.end_offsets(&self.call.request_topic(&self.application_id))?.len() as i32;
        let (open, calls, fate) = (self.open.clone(), self.calls.clone(), self.fate.clone());
        let mut caller = move |request: CallRequest<K, V>, reply: Reply<R>| {
            let codec = K::Codec::default();
            let key = codec.encode(&request.key).ok().flatten();
            let partition = partition_for(key.as_deref().map(|key| codec.partition_bytes(key)), partitions);
            let members = log.groups().into_iter().filter(|found| found.group == group).flat_map(|found| found.members);
            let mut owned = members.filter(|member| member.client_id == name).flat_map(|member| member.partitions);
            fate.note(&format!("{name} calls {:?} of partition {partition}", request.id));
            let mut calls = lock(&calls);
            *calls.attempts.entry(request.id.clone()).or_default() += 1;
            // An executor may call only for its own partitions. The new owner of a partition may already have made the
            // call.
            if owned.all(|owned| owned.partition != partition) {
                calls.strays.push(format!("{name} calls {:?} of partition {partition}", request.id));
            }
            lock(&open).push((request, reply));
        };
        executor.step(&mut caller, Duration::ZERO)
    }
}

impl<K, V, R, A> Executor for Seat<K, V, R, A>
where
    K: Data + Coded + Send,
    V: Data + Send,
    R: Send + 'static,
    A: Fn(&CallRequest<K, V>) -> Result<R, CallError>,
{
    fn turn(&mut self) -> bool {
        if self.executor.is_none() {
            if let Err(error) = self.begin() {
                self.end(&format!("does not come up: {error}"));
            }
            return true;
        }
        if self.fate.strikes(|rates| rates.close) {
            self.end("closes");
            return true;
        }
        let answered = self.answer_some();
        match self.step() {
            Ok(done) => answered || done > 0,
            Err(error) => {
                self.end(&format!("begins anew: {error}"));
                true
            }
        }
    }

    fn group(&self) -> &str {
        &self.group
    }

    fn waits(&self) -> bool {
        !lock(&self.open).is_empty()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
