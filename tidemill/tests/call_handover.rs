//! Requests move from one executor to another while their calls run.

use std::{cell::RefCell, sync::Arc, time::Duration};

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
