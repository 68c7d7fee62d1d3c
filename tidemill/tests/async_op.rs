//! Asynchronous steps: the effect of each answer lands once, and nothing waits for it.

mod common;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use bytes::Bytes;
use common::{driver, in_and_out, wait_until, windowed};
use tidemill::{
    AsyncCall, CallError, CallExecutor, CallExecutorHandle, CallPolicy, CallRequest, Caller, Clock as _, EmitStrategy,
    Limit, ManualClock, Record, Reply, Streams, StreamsBuilder, StreamsConfig, TimeWindows, Windowed,
    processor::{Processor, ProcessorContext},
    state::{BoxError, Codec, CodecError, Utf8},
    testing::{DriverOptions, TopologyTestDriver},
    transport::embedded::{EmbeddedLog, Entry},
};

/// Only the first word of a request.
struct FirstWord;

impl Codec<String> for FirstWord {
    fn encode_into(&self, value: &String, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(value.split(' ').next().unwrap_or_default().as_bytes());
        Ok(())
    }

    fn decode(&self, bytes: Bytes) -> Result<String, CodecError> {
        Utf8.decode(bytes)
    }
}

/// Text that decodes once it may.
struct Later(Arc<AtomicBool>);

impl Codec<String> for Later {
    fn encode_into(&self, value: &String, out: &mut Vec<u8>) -> Result<(), CodecError> {
        Utf8.encode_into(value, out)
    }

    fn decode(&self, bytes: Bytes) -> Result<String, CodecError> {
        if self.0.load(Ordering::SeqCst) {
            Utf8.decode(bytes)
        } else {
            Err(CodecError::NotYet { reason: "the key to it is on its way".to_owned() })
        }
    }
}

type Calls = VecDeque<(CallRequest<String, String>, Reply<String>)>;

fn call() -> AsyncCall<String, String, String> {
    AsyncCall::named("grade")
}

/// `in` → grade → `out`, failures as text.
fn grading(builder: &StreamsBuilder) {
    grading_by(&call(), builder);
}

fn grading_by(call: &AsyncCall<String, String, String>, builder: &StreamsBuilder) {
    builder
        .stream::<String, String>("in")
        .map_async(call)
        .map_values(|answered| match answered.outcome {
            Ok(grade) => format!("{}: {grade}", answered.request),
            Err(failure) => format!("{}: {} after {}", answered.request, failure.kind, failure.attempts),
        })
        .to("out");
}

fn policy() -> CallPolicy {
    CallPolicy { max_in_flight: 2, max_attempts: 3, timeout: Duration::from_secs(5), ..CallPolicy::default() }
}

/// An executor whose calls the test answers by hand, under a clock of its own.
struct Hand {
    executor: CallExecutor<String, String, String>,
    clock: ManualClock,
    calls: Arc<Mutex<Calls>>,
}

impl Hand {
    fn new(driver: &TopologyTestDriver) -> Self {
        Self::of(&call(), driver)
    }

    fn of(call: &AsyncCall<String, String, String>, driver: &TopologyTestDriver) -> Self {
        let clock = ManualClock::new(0);
        let log = Arc::new(driver.log().clone());
        let executor =
            CallExecutor::open(call, "test", log, policy(), Arc::new(clock.clone())).expect("the topics exist");
        Self { executor, clock, calls: Arc::default() }
    }

    /// Turns until nothing is left to do, and commits.
    fn run(&mut self) {
        self.clock.advance(Duration::from_millis(100));
        let calls = self.calls.clone();
        let mut caller = move |request, reply| calls.lock().expect("not poisoned").push_back((request, reply));
        for _ in 0..4 {
            self.executor.step(&mut caller, Duration::ZERO).expect("steps");
        }
    }

    fn calls(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().expect("not poisoned")
    }

    fn answer(&mut self, grade: &str) {
        let (_, reply) = self.calls().pop_front().expect("a call waits");
        reply.send(Ok(grade.to_owned()));
        self.run();
    }
}

fn pipe(driver: &TopologyTestDriver, values: &[&str]) {
    for (value, at) in values.iter().zip(1..) {
        driver.input::<String, String>("in").pipe("k".into(), (*value).into(), at).expect("processes");
    }
}

/// A driver with these requests, and a hand to answer them.
fn graded(values: &[&str]) -> (TopologyTestDriver, Hand) {
    let builder = StreamsBuilder::new();
    grading(&builder);
    let driver = driver(&builder);
    pipe(&driver, values);
    let hand = Hand::new(&driver);
    (driver, hand)
}

fn out(driver: &TopologyTestDriver) -> Vec<String> {
    driver.output::<String, String>("out").read_values().expect("reads")
}

#[test]
fn an_answer_comes_back_with_its_request_key_and_time() {
    let (driver, mut hand) = graded(&["one", "two"]);
    hand.run();
    assert_eq!(hand.calls()[0].0.key, "k");
    hand.calls().swap(0, 1);
    hand.answer("B");
    hand.answer("A");
    let output = driver.output::<String, String>("out").read().expect("reads");
    assert_eq!(output, [("k".into(), "one: A".into(), 1), ("k".into(), "two: B".into(), 2)]);
}

#[test]
fn a_caller_is_shown_what_requests_are_written_as_and_its_answer_meets_the_whole() {
    let call = call().requests_as(FirstWord);
    let builder = StreamsBuilder::new();
    grading_by(&call, &builder);
    let driver = driver(&builder);
    pipe(&driver, &["good morning"]);
    let mut hand = Hand::of(&call, &driver);
    hand.run();
    assert_eq!(hand.calls()[0].0.value, "good");
    hand.answer("A");
    assert_eq!(out(&driver), ["good morning: A"]);
}

#[test]
fn a_request_that_does_not_decode_yet_waits_and_uses_up_no_attempt() {
    let arrived = Arc::new(AtomicBool::new(false));
    let call = call().requests_as(Later(arrived.clone()));
    let builder = StreamsBuilder::new();
    grading_by(&call, &builder);
    let driver = driver(&builder);
    pipe(&driver, &["one"]);
    let mut hand = Hand::of(&call, &driver);
    // Much longer than its attempts would take.
    for _ in 0..1000 {
        hand.run();
    }
    assert!(hand.calls().is_empty() && out(&driver).is_empty());
    arrived.store(true, Ordering::SeqCst);
    for _ in 0..20 {
        hand.run();
    }
    assert_eq!(hand.calls()[0].0.attempt, 1);
    hand.answer("A");
    assert_eq!(out(&driver), ["one: A"]);
}

#[test]
fn a_second_response_has_no_effect_and_is_counted() {
    let (driver, mut hand) = graded(&["one"]);
    hand.run();
    hand.answer("A");
    let response = driver.log().read_all("test-grade-responses").expect("reads").remove(0).1;
    let copy = Entry { key: response.key, value: Some(Bytes::from("Z")), ..Entry::default() };
    driver.log().append("test-grade-responses", 0, [copy]).expect("appends");
    assert_eq!(out(&driver), ["one: A"]);
    let status = driver.status().expect("reports");
    assert_eq!(status.tasks[0].records_dropped, [("grade".to_owned(), "duplicate", 1)]);
}

#[test]
fn a_crash_pays_again_only_for_the_call_whose_answer_was_not_in_the_log() {
    let (driver, mut first) = graded(&["one", "two"]);
    first.run();
    // The later request is answered, the earlier one's answer is lost with the process.
    first.calls().swap(0, 1);
    first.answer("B");
    drop(first);
    driver.crash();
    let mut second = Hand::new(&driver);
    second.run();
    let asked: Vec<_> = second.calls().iter().map(|(request, _)| request.value.clone()).collect();
    assert_eq!(asked, ["one"]);
    second.answer("A");
    assert_eq!(out(&driver), ["one: A", "two: B"]);
}

#[test]
fn a_crash_before_the_task_took_the_response_loses_nothing() {
    let (driver, mut hand) = graded(&["one"]);
    hand.run();
    hand.answer("A");
    driver.crash();
    assert_eq!(out(&driver), ["one: A"]);
    driver.crash();
    assert_eq!(driver.output::<String, String>("out").read_values().expect("reads"), ["one: A"]);
}

#[test]
fn failures_are_retried_with_growing_pauses_and_end_as_data() {
    let (driver, mut hand) = graded(&["one"]);
    for attempt in 1..=3 {
        hand.run();
        let (request, reply) = hand.calls().pop_front().expect("a call waits");
        assert_eq!(request.attempt, attempt);
        reply.send(Err(CallError::transient("busy")));
        hand.run();
        assert!(hand.calls().is_empty(), "the pause is not over");
        hand.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(out(&driver), ["one: error after 3"]);
}

#[test]
fn a_permanent_error_is_not_retried_and_a_dropped_reply_is() {
    let (driver, mut hand) = graded(&["one", "two"]);
    hand.run();
    let (_, reply) = hand.calls().pop_front().expect("a call waits");
    reply.send(Err(CallError::permanent("no")));
    drop(hand.calls().pop_front().expect("a call waits"));
    hand.run();
    assert_eq!(out(&driver), ["one: error after 1"]);
    hand.clock.advance(Duration::from_secs(1));
    hand.run();
    assert_eq!(hand.calls()[0].0.value, "two");
}

#[test]
fn an_attempt_that_takes_too_long_is_given_up_and_its_late_answer_ignored() {
    let (driver, mut hand) = graded(&["one"]);
    hand.run();
    let (_, late) = hand.calls().pop_front().expect("a call waits");
    hand.clock.advance(Duration::from_secs(5));
    hand.run();
    hand.clock.advance(Duration::from_secs(1));
    hand.run();
    late.send(Ok("too late".to_owned()));
    hand.run();
    assert_eq!(out(&driver), Vec::<String>::new());
    hand.answer("A");
    assert_eq!(out(&driver), ["one: A"]);
}

#[test]
fn calls_and_memory_are_bounded_and_windows_close_while_calls_hang() {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let counted = builder
        .stream::<String, String>("in")
        .group_by_key()
        .windowed_by(windows)
        .emit(EmitStrategy::on_window_close())
        .collect("window");
    counted.map_values(|window| window.len() as i64).to("windows");
    let judge = AsyncCall::<Windowed<String>, Vec<String>, i64>::with(
        "judge",
        <Windowed<String> as tidemill::state::Coded>::Codec::default(),
        tidemill::state::List(tidemill::state::Utf8),
        tidemill::state::BigEndian,
    );
    counted.map_async(&judge).map_values(|answered| answered.outcome.unwrap_or(-1)).to("judged");
    let driver = driver(&builder);
    for second in 0..20 {
        driver.input::<String, String>("in").pipe("k".into(), "x".into(), second * 1000).expect("processes");
    }
    assert_eq!(driver.output::<Windowed<String>, i64>("windows").read().expect("reads").len(), 19);

    let clock = ManualClock::new(0);
    let log = Arc::new(driver.log().clone());
    let policy = CallPolicy { max_read_ahead: 4, ..policy() };
    let mut executor =
        CallExecutor::open(&judge, "test", log, policy, Arc::new(clock.clone())).expect("the topics exist");
    let (sender, receiver) = mpsc::channel();
    let mut caller = move |request: CallRequest<Windowed<String>, Vec<String>>, reply: Reply<i64>| {
        sender.send((request.key, reply)).expect("the test holds the other end");
    };
    let read = (0..10).map(|_| executor.step(&mut caller, Duration::ZERO).expect("steps")).sum::<usize>();
    // Two run, and some are held besides; the rest waits on the topic.
    let received: Vec<_> = receiver.try_iter().collect();
    assert_eq!(
        received.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(),
        [windowed("k", 0, 1000), windowed("k", 1000, 2000)]
    );
    assert!(read <= 7, "{read} requests read");
}

#[test]
fn answered_requests_leave_their_topic() {
    let (driver, mut hand) = graded(&["one", "two", "three"]);
    hand.run();
    hand.answer("A");
    hand.clock.advance(Duration::from_secs(10));
    // Time also runs out for the call that waits, but not for its request.
    hand.run();
    let left: Vec<_> = driver.log().read_all("test-grade-requests").expect("reads");
    let left: Vec<_> = left.into_iter().filter_map(|(_, record)| record.value).collect();
    assert_eq!(left, ["two", "three"]);
}

/// Forgets everything that is pending for the keys that come.
struct Withdraw;

impl Processor<String, String, String, String> for Withdraw {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        call().withdraw(ctx, |key| *key == record.key).map(|_| ())
    }
}

#[test]
fn a_withdrawn_request_has_no_effect_any_more() {
    let builder = StreamsBuilder::new();
    grading(&builder);
    let pending = call().pending_store();
    builder.stream::<String, String>("erase").process("withdraw", &[&pending], || Withdraw).to("erased");
    let driver = driver(&builder);
    pipe(&driver, &["one"]);
    driver.input::<String, String>("in").pipe("other".into(), "two".into(), 5).expect("processes");
    let mut hand = Hand::new(&driver);
    hand.run();
    driver.input::<String, String>("erase").pipe("k".into(), "now".into(), 6).expect("processes");
    hand.answer("A");
    hand.answer("B");
    assert_eq!(out(&driver), ["two: B"]);
}

#[test]
fn every_partition_gets_its_own_answers() {
    let builder = StreamsBuilder::new();
    grading(&builder);
    let topology = builder.build().expect("the topology is valid");
    let driver = TopologyTestDriver::with(&topology, DriverOptions::default().partitions(3)).expect("starts");
    let input = driver.input::<String, String>("in");
    for key in ["a", "b", "c", "d", "e"] {
        input.pipe(key.into(), key.into(), 0).expect("processes");
    }
    let mut hand = Hand::new(&driver);
    hand.run();
    while !hand.calls().is_empty() {
        hand.answer("A");
    }
    let mut graded = out(&driver);
    graded.sort();
    assert_eq!(graded, ["a: A", "b: A", "c: A", "d: A", "e: A"]);
}

/// Runs the application on a log with this many partitions.
fn run(partitions: i32) -> (EmbeddedLog, Streams) {
    let (log, builder) = (in_and_out(partitions), StreamsBuilder::new());
    grading(&builder);
    let topology = builder.build().expect("the topology is valid");
    let streams = Streams::start(&topology, StreamsConfig::new("app"), log.clone()).expect("starts");
    (log, streams)
}

/// Answers in a thread of its own.
struct Threads;

impl Caller<String, String, String> for Threads {
    fn call(&mut self, request: CallRequest<String, String>, reply: Reply<String>) {
        std::thread::spawn(move || reply.send(Ok(request.value.to_uppercase())));
    }
}

#[test]
fn a_running_application_and_its_executor_work_together() {
    let (log, streams) = run(2);
    let executor = CallExecutor::spawn(&call(), "app", log.clone(), CallPolicy::default(), Threads).expect("starts");
    for number in 0..100 {
        log.append("in", number % 2, [Entry::new(format!("k{number}"), format!("v{number}"), 0)]).expect("appends");
    }
    let started = tidemill::SystemClock.now_ms();
    let ends = || log.end_offsets("out").expect("reads").iter().sum::<i64>();
    while ends() < 100 {
        assert!(tidemill::SystemClock.now_ms() - started < 60_000, "only {} answers", ends());
        std::thread::yield_now();
    }
    assert_eq!(executor.stats().succeeded, 100);
    executor.close(Duration::from_secs(5));
    streams.close().expect("closes");
    assert_eq!(ends(), 100);
}

#[test]
fn an_executor_that_closes_settles_the_attempts_that_took_too_long() {
    let (log, streams) = run(1);
    let policy = CallPolicy {
        timeout: Duration::from_millis(300),
        max_attempts: 1,
        limits: vec![Limit::in_flight(10)],
        ..CallPolicy::default()
    };
    let (hold, held) = mpsc::channel();
    let holds = move |_: CallRequest<String, String>, reply: Reply<String>| {
        hold.send(reply).expect("the test listens");
    };
    let executor = CallExecutor::spawn(&call(), "app", log.clone(), policy, holds).expect("starts");
    log.append("in", 0, [Entry::new("k", "v", 0)]).expect("appends");
    wait_until("it takes too long", || executor.stats().timeouts == 1);
    executor.close(Duration::from_mins(1));
    let entries = ledger_entries(&log);
    let open = |entry: &serde_json::Value| entry["o"].as_array().map(Vec::len);
    assert_eq!(entries.first().and_then(open), Some(1), "it was reserved");
    assert_eq!(entries.last().and_then(open), Some(0), "it is settled");
    drop(held);
    streams.close().expect("closes");
}

/// The entries that executors wrote into the ledger, in order.
fn ledger_entries(log: &EmbeddedLog) -> Vec<serde_json::Value> {
    let records = log.read_all(&call().ledger_topic("app")).expect("reads");
    let entries = records.into_iter().map(|(_, record)| record).filter(|record| {
        // Other records have one name only.
        record.key.as_deref().is_some_and(|key| key.contains(&b','))
    });
    entries.filter_map(|record| record.value).map(|value| serde_json::from_slice(&value).expect("it is JSON")).collect()
}

#[test]
fn an_executor_that_its_own_caller_closes_ends() {
    let (log, streams) = run(1);
    let (give, taken) = mpsc::channel::<CallExecutorHandle>();
    let (tell, told) = mpsc::channel();
    let closes = move |_request: CallRequest<String, String>, reply: Reply<String>| {
        taken.recv().expect("the test gives it").close(Duration::from_secs(5));
        reply.send(Ok("A".to_owned()));
        tell.send(()).expect("the test listens");
    };
    let executor = CallExecutor::spawn(&call(), "app", log.clone(), CallPolicy::default(), closes).expect("starts");
    let group = executor.group().to_owned();
    log.append("in", 0, [Entry::new("k", "v", 0)]).expect("appends");
    give.send(executor).expect("its caller takes it");
    told.recv_timeout(Duration::from_mins(1)).expect("the caller goes on");
    wait_until("its thread leaves", || log.group_lag(&group).iter().all(|partition| partition.member.is_none()));
    wait_until("what was answered counts", || log.end_offsets("out").expect("reads") == [1]);
    streams.close().expect("closes");
}
