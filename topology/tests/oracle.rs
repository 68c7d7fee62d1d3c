//! Windowed counts and lists against a plain program, with random disorder, crashes and commit points.

mod common;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use common::windowed;
use proptest::prelude::*;
use tidemill_topology::{EmitStrategy, StreamsBuilder, TimeWindows, Windowed, testing::TopologyTestDriver};

/// What happens to the application.
#[derive(Debug, Clone)]
enum Step {
    /// A record is sent: its key, and its time.
    Send(u8, i64),
    /// What was sent is processed and committed.
    Commit,
    /// The application dies between commits, with its state in memory.
    Crash,
    /// The application dies when it has processed so many more records, before it commits them.
    CrashWithin(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0_u8..3, 0_i64..400).prop_map(|(key, timestamp)| Step::Send(key, timestamp)),
        2 => Just(Step::Commit),
        1 => Just(Step::Crash),
        1 => (1_i64..8).prop_map(Step::CrashWithin),
    ];
    // Time moves on, so that early windows close and late records are late by more and more.
    prop::collection::vec(step, 1..120).prop_map(|steps| {
        let moved = steps.into_iter().zip(0_i64..).map(|(step, at)| match step {
            Step::Send(key, timestamp) => Step::Send(key, timestamp + at * 5),
            other => other,
        });
        moved.collect()
    })
}

/// Windows of 100 ms with a grace period, and how far they advance.
fn windows() -> impl Strategy<Value = (i64, i64)> {
    prop_oneof![Just(100_i64), Just(50), Just(30), Just(7)]
        .prop_flat_map(|advance| (Just(advance), prop_oneof![Just(0_i64), Just(20), Just(150)]))
}

const SIZE: i64 = 100;

type Collected = Vec<(Windowed<String>, Vec<i64>, i64)>;

/// What must come out: each window once, closed in order, and the records that no window took.
fn expected(sent: &[(u8, i64)], advance: i64, grace: i64) -> (Collected, Vec<i64>) {
    let mut open = BTreeMap::<(i64, String), (Vec<i64>, i64)>::new();
    let (mut emitted, mut late, mut stream_time) = (Vec::new(), Vec::new(), -1);
    for (number, (key, timestamp)) in (0_i64..).zip(sent) {
        stream_time = stream_time.max(*timestamp);
        let starts = (0..=*timestamp).filter(|start| start % advance == 0 && start + SIZE > *timestamp);
        let live: Vec<_> = starts.filter(|start| stream_time < start + SIZE + grace).collect();
        if live.is_empty() {
            late.push(number);
        }
        for start in live {
            let (numbers, time) = open.entry((start, format!("key-{key}"))).or_insert_with(|| (Vec::new(), -1));
            numbers.push(number);
            *time = (*time).max(*timestamp);
        }
        while let Some(entry) = open.first_entry().filter(|entry| stream_time >= entry.key().0 + SIZE + grace) {
            let ((start, key), (numbers, time)) = entry.remove_entry();
            emitted.push((windowed(&key, start, start + SIZE), numbers, time));
        }
    }
    (emitted, late)
}

/// Builds counts and lists over the same input, which panics when `fuse` has burnt down to 0.
fn driver(advance: i64, grace: i64, fuse: Arc<AtomicI64>) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in").peek(move |_, _| {
        assert_ne!(fuse.fetch_sub(1, Ordering::SeqCst), 1, "the crash that was asked for");
    });
    let millis = |ms: i64| Duration::from_millis(ms.unsigned_abs());
    let windows = TimeWindows::of_size_and_grace(millis(SIZE), millis(grace)).advance_by(millis(advance));
    let windowed = || stream.group_by_key().windowed_by(windows).emit(EmitStrategy::on_window_close());
    let mut counted = windowed();
    counted.late_records().to("late");
    counted.count("counts").to_stream().to("counts-out");
    windowed().collect("lists").to("lists-out");
    let updates = stream.group_by_key().windowed_by(windows);
    updates.count("updates").to_stream().to("updates-out");
    common::driver(&builder)
}

/// Once what is sent is committed, however often the application dies on the way.
fn settle(driver: &TopologyTestDriver) {
    while let Err(error) = driver.status() {
        assert!(error.chain().contains("the crash that was asked for"), "{}", error.chain());
    }
}

fn check(steps: &[Step], advance: i64, grace: i64) -> Result<(), TestCaseError> {
    let fuse = Arc::new(AtomicI64::new(0));
    let driver = driver(advance, grace, fuse.clone());
    let input = driver.input::<String, i64>("in");
    let mut sent = Vec::new();
    for step in steps {
        match step {
            Step::Send(key, timestamp) => {
                input.enqueue(format!("key-{key}"), sent.len() as i64, *timestamp).expect("sends");
                sent.push((*key, *timestamp));
            }
            Step::Commit => settle(&driver),
            Step::Crash => driver.crash(),
            Step::CrashWithin(records) => fuse.store(*records, Ordering::SeqCst),
        }
    }
    settle(&driver);
    fuse.store(0, Ordering::SeqCst);

    let (lists, late) = expected(&sent, advance, grace);
    let counts: Vec<_> = lists.iter().map(|(at, list, time)| (at.clone(), list.len() as i64, *time)).collect();
    prop_assert_eq!(driver.output::<Windowed<String>, i64>("counts-out").read().expect("reads"), counts);
    prop_assert_eq!(driver.output::<Windowed<String>, Vec<i64>>("lists-out").read().expect("reads"), lists.clone());
    prop_assert_eq!(driver.output::<String, i64>("late").read_values().expect("reads"), late);
    // The last update of each closed window is its final result.
    let updates = driver.output::<Windowed<String>, i64>("updates-out").read().expect("reads");
    let last: BTreeMap<_, _> = updates.into_iter().map(|(at, count, time)| (at, (count, time))).collect();
    for (at, list, time) in lists {
        prop_assert_eq!(last.get(&at), Some(&(list.len() as i64, time)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn windows_hold_exactly_their_records_whatever_happens(steps in steps(), (advance, grace) in windows()) {
        check(&steps, advance, grace)?;
    }
}
