//! Executors of calls whose attempts a test answers by hand, under one clock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use tidemill::{
    AsyncCall, CallError, CallExecutor, CallPolicy, CallRequest, CallSnapshot, Caller, Clock as _, ManualClock, Reply,
    Spending, StreamsBuilder, Usage,
    testing::{DriverOptions, TopologyTestDriver},
    transport::embedded::EmbeddedLog,
};

pub(crate) type Attempts = Vec<(CallRequest<String, String>, Reply<String>)>;

/// A call of texts.
pub(crate) fn grade() -> AsyncCall<String, String, String> {
    AsyncCall::named("grade")
}

/// What a model costs.
pub(crate) fn micros(cost_micros: u64) -> Usage {
    Usage { cost_micros, ..Usage::default() }
}

/// An application that asks, and the log that it shares with executors.
pub(crate) struct School {
    pub(crate) driver: TopologyTestDriver,
    pub(crate) clock: ManualClock,
    pub(crate) call: AsyncCall<String, String, String>,
    pub(crate) policy: CallPolicy,
    asked: Mutex<i64>,
}

impl School {
    pub(crate) fn new(policy: CallPolicy) -> Self {
        Self::with(grade(), policy, 1)
    }

    pub(crate) fn with(call: AsyncCall<String, String, String>, policy: CallPolicy, partitions: i32) -> Self {
        let builder = StreamsBuilder::new();
        builder
            .stream::<String, String>("in")
            .map_async(&call)
            .map_values(|answered| {
                let report = &answered.report;
                let how = format!("{} {:?} {}", report.route, report.source, report.attempts);
                match &answered.outcome {
                    Ok(grade) => format!("{}: {grade} ({how})", answered.request),
                    Err(failure) => format!("{}: {} ({how})", answered.request, failure.kind),
                }
            })
            .to("out");
        builder
            .stream::<String, ()>("forget")
            .erase("forgets", &["grade"])
            .map_values(|it| it.calls as i64)
            .to("forgotten");
        let topology = builder.build().expect("the topology is valid");
        let options = DriverOptions::default().partitions(partitions);
        let driver = TopologyTestDriver::with(&topology, options).expect("the driver starts");
        Self { driver, clock: ManualClock::new(0), call, policy, asked: Mutex::new(0) }
    }

    pub(crate) fn log(&self) -> &EmbeddedLog {
        self.driver.log()
    }

    /// Asks for each key and text, in order. The tenant is the key's part before '/'.
    pub(crate) fn ask(&self, requests: &[(&str, &str)]) {
        for (key, text) in requests {
            let mut asked = self.asked.lock().expect("not poisoned");
            *asked += 1;
            let input = self.driver.input::<String, String>("in");
            input.pipe((*key).to_owned(), (*text).to_owned(), *asked).expect("processes");
        }
    }

    /// Everything that came out.
    pub(crate) fn answers(&self) -> Vec<String> {
        self.driver.output::<String, String>("out").read_values().expect("reads")
    }

    /// What the last response says of its failure.
    pub(crate) fn last_response_header(&self, key: &str) -> Option<String> {
        let responses = self.log().read_all("test-grade-responses").expect("reads");
        let (_, last) = responses.into_iter().next_back()?;
        last.headers.last(key).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    pub(crate) fn seat(&self) -> Seat {
        let (log, clock) = (Arc::new(self.log().clone()), Arc::new(self.clock.clone()));
        let executor = CallExecutor::open(&self.call, "test", log, self.policy.clone(), clock).expect("it opens");
        let model = Model { open: Arc::default(), batches: Arc::default(), most: 10, shares: false };
        Seat { executor, model, clock: self.clock.clone(), kept: Arc::default() }
    }

    /// Lets time pass, and then the executors work.
    pub(crate) fn pass(&self, ms: u64, seats: &mut [&mut Seat]) {
        self.clock.advance(Duration::from_millis(ms));
        self.driver.advance_wall_clock(Duration::from_millis(ms)).expect("processes");
        work(seats);
    }
}

/// Executors take turns until nothing more happens.
pub(crate) fn work(seats: &mut [&mut Seat]) {
    for _ in 0..8 {
        for seat in seats.iter_mut() {
            seat.step();
        }
    }
}

/// Keeps attempts for the test.
#[derive(Clone)]
pub(crate) struct Model {
    open: Arc<Mutex<Attempts>>,
    /// How many requests came at once.
    pub(crate) batches: Arc<Mutex<Vec<usize>>>,
    /// The most micros of an attempt. A text "… costs N" has its own.
    pub(crate) most: u64,
    /// Whether equal texts are equal content.
    pub(crate) shares: bool,
}

impl Caller<String, String, String> for Model {
    fn call(&mut self, request: CallRequest<String, String>, reply: Reply<String>) {
        self.open.lock().expect("not poisoned").push((request, reply));
    }

    fn call_batch(&mut self, batch: Vec<(CallRequest<String, String>, Reply<String>)>) {
        self.batches.lock().expect("not poisoned").push(batch.len());
        self.open.lock().expect("not poisoned").extend(batch);
    }

    fn most(&self, request: &CallRequest<String, String>) -> Usage {
        let own = request.value.split_once(" costs ").and_then(|(_, micros)| micros.parse().ok());
        micros(own.unwrap_or(self.most))
    }

    fn content(&self, request: &CallRequest<String, String>) -> Option<Bytes> {
        self.shares.then(|| request.value.clone().into())
    }

    fn tenant(&self, key: &String) -> Arc<str> {
        key.split('/').next().unwrap_or_default().into()
    }
}

/// An executor and its model.
pub(crate) struct Seat {
    pub(crate) executor: CallExecutor<String, String, String>,
    pub(crate) model: Model,
    clock: ManualClock,
    kept: Arc<Mutex<HashMap<String, bool>>>,
}

impl Seat {
    /// Equal texts are equal content.
    pub(crate) fn sharing(mut self) -> Self {
        self.model.shares = true;
        self
    }

    pub(crate) fn step(&mut self) {
        self.executor.step(&mut self.model, Duration::ZERO).expect("steps");
    }

    pub(crate) fn open(&self) -> MutexGuard<'_, Attempts> {
        self.model.open.lock().expect("not poisoned")
    }

    /// The texts that are being called, with their routes.
    pub(crate) fn calls(&self) -> Vec<(String, String)> {
        self.open().iter().map(|(request, _)| (request.value.clone(), request.route.to_string())).collect()
    }

    /// The texts that are being called.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.open().iter().map(|(request, _)| request.value.clone()).collect()
    }

    /// Takes the oldest attempt for a text.
    pub(crate) fn take(&self, text: &str) -> (CallRequest<String, String>, Reply<String>) {
        let mut open = self.open();
        let at = open.iter().position(|(request, _)| request.value == text);
        open.remove(at.unwrap_or_else(|| panic!("{text:?} is called")))
    }

    /// Answers the oldest attempt for a text. It costs 10 micros.
    pub(crate) fn answer(&mut self, text: &str, grade: &str) {
        self.take(text).1.with_usage(micros(10)).send(Ok(grade.to_owned()));
        work(&mut [self]);
    }

    pub(crate) fn fail(&mut self, text: &str, error: CallError) {
        self.take(text).1.with_usage(micros(0)).send(Err(error));
        work(&mut [self]);
    }

    /// Keeps a step of the oldest attempt for a text.
    pub(crate) fn keep(&mut self, text: &str, step: &'static str) {
        let kept = self.kept.clone();
        let at = self.open().iter().position(|(request, _)| request.value == text).expect("it is called");
        let note = move |done| {
            kept.lock().expect("not poisoned").insert(step.to_owned(), done);
        };
        self.open()[at].1.keep_step(Bytes::from_static(step.as_bytes()), note);
    }

    /// What the attempt was told about its step.
    pub(crate) fn kept(&self, step: &str) -> Option<bool> {
        self.kept.lock().expect("not poisoned").get(step).copied()
    }

    pub(crate) fn snapshot(&mut self) -> CallSnapshot {
        self.executor.snapshot()
    }

    /// What all executors spent today: settled calls, settled micros, and micros that are open or unknown.
    pub(crate) fn spent(&mut self) -> (u64, u64, u64) {
        let add = |sum: (u64, u64, u64), Spending { day, .. }: Spending| {
            let open = day.open.cost_micros + day.unknown.cost_micros;
            (sum.0 + day.calls, sum.1 + day.usage.cost_micros, sum.2 + open)
        };
        self.snapshot().spending.into_iter().fold((0, 0, 0), add)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.monotonic_ms()
    }
}
