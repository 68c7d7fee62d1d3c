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
    async_op::{AsyncCall, CallError, CallExecutor, CallPolicy, CallRequest, Caller, Reply, Usage},
    partitioner::partition_for,
    record::Data,
    transport::{TransportError, embedded::EmbeddedLog},
};

/// How often each request was called, and calls that should not have been made.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) attempts: BTreeMap<Bytes, usize>,
    pub(super) strays: Vec<String>,
    /// The attempts that run in each executor.
    running: BTreeMap<String, usize>,
    /// The most attempts that ran at the same time, in all executors together.
    pub(super) running_max: usize,
    /// What attempts that were answered have consumed, in micros.
    pub(super) consumed_micros: u64,
}

impl Calls {
    fn begin(&mut self, name: &str) {
        *self.running.entry(name.to_owned()).or_default() += 1;
        self.running_max = self.running_max.max(self.running.values().sum());
    }

    fn end(&mut self, name: &str, micros: u64) {
        if let Some(running) = self.running.get_mut(name) {
            *running -= 1;
        }
        self.consumed_micros += micros;
    }
}

/// The most micros that an attempt consumes.
const MOST_MICROS: u64 = 100;

/// The process of an executor, independent of its types.
pub(super) trait Executor {
    /// One random turn. Returns whether there was work.
    fn turn(&mut self) -> bool;
    /// The executor's consumer group.
    fn group(&self) -> &str;
    /// Whether calls are still unanswered.
    fn waits(&self) -> bool;
}

type Open<K, V, R> = Arc<Mutex<Vec<Attempt<K, V, R>>>>;

/// An attempt without an answer.
pub(super) struct Attempt<K, V, R> {
    request: CallRequest<K, V>,
    reply: Reply<R>,
    /// Whether its step is in the log, if it keeps one. It does not go on before.
    step: Option<Arc<Mutex<Option<bool>>>>,
}

/// Keeps attempts until some turn answers them.
struct Asks<K, V, R> {
    name: String,
    partition_of: Box<dyn Fn(&K) -> i32 + Send>,
    log: EmbeddedLog,
    group: String,
    open: Open<K, V, R>,
    calls: Arc<Mutex<Calls>>,
    fate: Fate,
}

impl<K: Data + Send, V: Data + Send, R: Send + 'static> Caller<K, V, R> for Asks<K, V, R> {
    fn call(&mut self, request: CallRequest<K, V>, reply: Reply<R>) {
        let Self { name, log, group, open, calls, fate, .. } = self;
        let partition = (self.partition_of)(&request.key);
        let members = log.groups().into_iter().filter(|found| found.group == *group).flat_map(|found| found.members);
        let mut owned = members.filter(|member| member.client_id == *name).flat_map(|member| member.partitions);
        fate.note(&format!("{name} calls {:?} of partition {partition}", request.id));
        let mut calls = lock(calls);
        *calls.attempts.entry(request.id.clone()).or_default() += 1;
        calls.begin(name);
        // An executor may call only for its own partitions. The new owner of a partition may already have made the
        // call.
        if owned.all(|owned| owned.partition != partition) {
            calls.strays.push(format!("{name} calls {:?} of partition {partition}", request.id));
        }
        if request.steps.iter().any(|step| *step != request.id) {
            calls.strays.push(format!("{name} calls {:?} with steps of another request", request.id));
        }
        let keeps = request.steps.is_empty() && fate.below(3) == 0;
        let step = keeps.then(|| {
            let kept = Arc::new(Mutex::new(None));
            let told = kept.clone();
            reply.keep_step(request.id.clone(), move |done| *lock(&told) = Some(done));
            kept
        });
        lock(open).push(Attempt { request, reply, step });
    }

    fn most(&self, _request: &CallRequest<K, V>) -> Usage {
        Usage { cost_micros: MOST_MICROS, ..Usage::default() }
    }
}

/// An executor of a call, with the function that answers the calls.
pub(super) struct Seat<K, V, R, A> {
    pub(super) name: String,
    /// How often it started. Each start has a name of its own.
    pub(super) starts: usize,
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
        self.starts += 1;
        let process = Process::new(self.name.as_str(), self.fate.clone());
        process.note("starts");
        let transport = Arc::new(FaultyTransport { log: self.log.clone(), process });
        let (policy, clock) = (self.policy.clone(), Arc::new(self.fate.clock.clone()));
        let opened =
            CallExecutor::open_as(self.client_id(), &self.call, &self.application_id, transport, policy, clock);
        self.executor = Some(opened?);
        Ok(())
    }

    fn end(&mut self, why: &str) {
        self.fate.note(&format!("{} {why}", self.name));
        self.executor = None;
        lock(&self.open).clear();
        lock(&self.calls).running.remove(&self.client_id());
    }

    fn client_id(&self) -> String {
        format!("{}-{}", self.name, self.starts)
    }

    fn answer_some(&self) -> bool {
        let mut open = lock(&self.open);
        let number = self.fate.below(open.len() as u64) as usize;
        if open.is_empty() || self.fate.strikes(|rates| rates.slow_call) {
            return false;
        }
        let step = open[number].step.as_ref().map(|step| *lock(step));
        if step == Some(None) {
            return false;
        }
        let Attempt { request, reply, .. } = open.remove(number);
        // One whose step was refused ends without an answer.
        let answer = match step {
            Some(Some(false)) => Err(CallError::transient("the step was refused")),
            _ => (self.answer)(&request),
        };
        let cost_micros = 1 + self.fate.below(MOST_MICROS);
        lock(&self.calls).end(&self.client_id(), cost_micros);
        reply.with_usage(Usage { cost_micros, ..Usage::default() }).send(answer);
        true
    }

    fn step(&mut self) -> Result<usize, TransportError> {
        let name = self.client_id();
        let Some(executor) = &mut self.executor else { return Ok(0) };
        let partitions = self.log.end_offsets(&self.call.request_topic(&self.application_id))?.len() as i32;
        let mut caller = Asks {
            partition_of: Box::new(move |key| {
                let codec = K::Codec::default();
                let key = codec.encode(key).ok().flatten();
                partition_for(key.as_deref().map(|key| codec.partition_bytes(key)), partitions)
            }),
            log: self.log.clone(),
            group: self.group.clone(),
            open: self.open.clone(),
            calls: self.calls.clone(),
            fate: self.fate.clone(),
            name,
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
