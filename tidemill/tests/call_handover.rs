//! Requests move from one executor to another: while their calls run, after a death, without a word.

mod common;

use std::{cell::RefCell, sync::Arc, time::Duration};

use common::executors::School;
use tidemill::{
    AsyncCall, CallExecutor, CallPolicy, CallRequest, Reply, SystemClock,
    transport::embedded::{EmbeddedLog, Entry},
};

type Call = AsyncCall<String, String, String>;
type Executor = CallExecutor<String, String, String>;

fn executor(log: &EmbeddedLog) -> Executor {
    let (call, log) = (Call::named("grade"), Arc::new(log.clone()));
    CallExecutor::open(&call, "test", log, CallPolicy::default(), Arc::new(SystemClock)).expect("opens")
}

/// Asks a request in each of two partitions.
fn ask(log: &EmbeddedLog, number: u64) {
    for partition in 0..2 {
        let id = [b"ann".as_slice(), &number.to_be_bytes()].concat();
        log.append("test-grade-requests", partition, [Entry::new(id, "essay", 0)]).expect("appends");
    }
}

fn answers(log: &EmbeddedLog) -> Vec<i32> {
    log.read_all("test-grade-responses").expect("reads").iter().map(|(partition, _)| *partition).collect()
}

#[test]
fn a_running_call_ends_before_its_partition_moves() {
    let log = EmbeddedLog::in_memory();
    log.create("test-grade-requests", 2).expect("creates");
    log.create("test-grade-responses", 2).expect("creates");
    ask(&log, 1);

    let mut slow =
        |_: CallRequest<String, String>, reply: Reply<String>| RUNNING.with(|it| it.borrow_mut().push(reply));
    let mut first = executor(&log);
    while RUNNING.with(|it| it.borrow().len()) < 2 {
        first.step(&mut slow, Duration::ZERO).expect("steps");
    }

    let mut again = |_: CallRequest<String, String>, reply: Reply<String>| {
        AGAIN.with(|it| *it.borrow_mut() += 1);
        reply.send(Ok("again".to_owned()));
    };
    let mut second = executor(&log);
    let mut both = |first: &mut Executor, turns: usize| {
        for _ in 0..turns {
            first.step(&mut slow, Duration::ZERO).expect("steps");
            second.step(&mut again, Duration::ZERO).expect("steps");
        }
    };
    both(&mut first, 50);
    assert_eq!(AGAIN.with(|it| *it.borrow()), 0, "the calls run at the first executor");

    RUNNING.with(|it| it.borrow_mut().drain(..).for_each(|reply| reply.send(Ok("good".to_owned()))));
    both(&mut first, 50);
    assert_eq!((answers(&log), AGAIN.with(|it| *it.borrow())), (vec![0, 1], 0), "each was answered, none called again");

    ask(&log, 2);
    both(&mut first, 50);
    assert_eq!(AGAIN.with(|it| *it.borrow()), 1, "a partition has moved");
}

thread_local! {
    static RUNNING: RefCell<Vec<Reply<String>>> = RefCell::default();
    static AGAIN: RefCell<usize> = RefCell::default();
}

/// Answers requests as an executor does that has lost their partition and does not know it, or that dies right after.
fn answer_elsewhere(school: &School, numbers: &[usize]) {
    let requests = school.log().read_all("test-grade-requests").expect("reads");
    for number in numbers {
        let (partition, request) = &requests[*number];
        let id = request.key.clone().expect("a request has an id");
        school.log().append("test-grade-responses", *partition, [Entry::new(id, "A", 0)]).expect("appends");
    }
}

#[test]
fn answers_of_an_executor_that_had_lost_its_partition_are_found_by_the_owner_after_the_next() {
    let school = School::new(CallPolicy::default());
    school.ask(&[("a", "zero"), ("b", "one"), ("c", "two")]);
    let mut owner = school.seat();
    school.pass(0, &mut [&mut owner]);
    assert_eq!(owner.texts(), ["zero", "one", "two"]);
    answer_elsewhere(&school, &[2]);
    owner.answer("zero", "A");
    // The owner commits, and notes up to where it knows the answers.
    for _ in 0..3 {
        school.pass(2_000, &mut [&mut owner]);
    }
    drop(owner);
    let mut next = school.seat();
    school.pass(0, &mut [&mut next]);
    assert_eq!(next.texts(), ["one"], "two has its answer in the log");

    // When those requests are done, the notes go on.
    next.answer("one", "A");
    school.pass(2_000, &mut [&mut next]);
    school.ask(&[("d", "three")]);
    school.pass(2_000, &mut [&mut next]);
    drop(next);
    let mut last = school.seat();
    school.pass(0, &mut [&mut last]);
    assert_eq!(last.texts(), ["three"]);
}

#[test]
fn answers_that_an_owner_has_found_and_not_reached_are_found_again_by_the_next() {
    let school = School::new(CallPolicy { max_read_ahead: 1, ..CallPolicy::default() });
    school.ask(&[("a", "zero"), ("b", "one"), ("c", "two")]);
    answer_elsewhere(&school, &[1, 2]);
    let mut owner = school.seat();
    for _ in 0..3 {
        school.pass(2_000, &mut [&mut owner]);
    }
    assert_eq!(owner.texts(), ["zero"]);
    drop(owner);
    let mut next = school.seat();
    school.pass(0, &mut [&mut next]);
    next.answer("zero", "A");
    for _ in 0..3 {
        school.pass(2_000, &mut [&mut next]);
    }
    assert_eq!(next.texts(), [""; 0], "one and two have their answers in the log");
}
