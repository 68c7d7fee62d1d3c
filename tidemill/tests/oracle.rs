//! Windowed counts and lists, and joins, against a plain program, with random disorder, crashes and commit points.

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
use tidemill::{
    EmitStrategy, JoinKind, JoinWindows, KStream, StreamsBuilder, TimeWindows, Windowed, testing::TopologyTestDriver,
};

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

/// How far apart records are joined: even numbers are left, odd ones right.
#[derive(Debug, Clone, Copy)]
struct Apart {
    before: i64,
    after: i64,
    grace: i64,
}

fn apart() -> impl Strategy<Value = Apart> {
    let difference = || prop_oneof![Just(0_i64), Just(30), Just(100)];
    (difference(), difference(), prop_oneof![Just(0_i64), Just(20), Just(150)])
        .prop_map(|(before, after, grace)| Apart { before, after, grace })
}

type Joined = Vec<(String, String, i64)>;

/// A record that may still find partners.
struct Waiting {
    number: i64,
    key: u8,
    timestamp: i64,
    alone: bool,
}

impl Waiting {
    fn is_left(&self) -> bool {
        self.number % 2 == 0
    }

    /// The last time that a partner may have.
    fn end(&self, apart: Apart) -> i64 {
        self.timestamp + if self.is_left() { apart.after } else { apart.before }
    }

    fn is_partner(&self, other: &Self, apart: Apart) -> bool {
        let (left, right) = if self.is_left() { (self, other) } else { (other, self) };
        let (from, to) = (left.timestamp - apart.before, left.timestamp + apart.after);
        self.key == other.key && self.is_left() != other.is_left() && (from..=to).contains(&right.timestamp)
    }
}

/// What must come out: each pair once, and alone what no partner came for.
fn expected_joins(sent: &[(u8, i64)], apart: Apart, kind: JoinKind) -> Joined {
    let emits_alone = |one: &Waiting| match kind {
        JoinKind::Inner => false,
        JoinKind::Left => one.is_left(),
        JoinKind::Outer => true,
    };
    let (mut waiting, mut out, mut stream_time) = (Vec::<Waiting>::new(), Vec::new(), -1);
    for (number, (key, timestamp)) in (0_i64..).zip(sent) {
        stream_time = stream_time.max(*timestamp);
        let (mut closed, open): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|one: &Waiting| one.end(apart) + apart.grace < stream_time);
        waiting = open;
        closed.sort_by_key(|one| (one.end(apart), one.is_left(), one.key, one.number));
        for one in closed.iter().filter(|one| one.alone && emits_alone(one)) {
            let text = if one.is_left() { format!("{}+", one.number) } else { format!("+{}", one.number) };
            out.push((format!("key-{}", one.key), text, one.timestamp));
        }
        let mut new = Waiting { number, key: *key, timestamp: *timestamp, alone: true };
        if new.end(apart) + apart.grace < stream_time {
            continue;
        }
        let mut partners: Vec<_> = waiting.iter_mut().filter(|one| new.is_partner(one, apart)).collect();
        partners.sort_by_key(|one| one.timestamp);
        for partner in partners {
            (new.alone, partner.alone) = (false, false);
            let (left, right) = if new.is_left() { (number, partner.number) } else { (partner.number, number) };
            out.push((format!("key-{key}"), format!("{left}+{right}"), partner.timestamp.max(*timestamp)));
        }
        waiting.push(new);
    }
    out
}

fn join(stream: &KStream<String, i64>, apart: Apart) {
    let millis = |ms: i64| Duration::from_millis(ms.unsigned_abs());
    let windows = JoinWindows::of_time_difference_and_grace(Duration::ZERO, millis(apart.grace))
        .before(millis(apart.before))
        .after(millis(apart.after));
    let (left, right) = (stream.filter(|_, number| number % 2 == 0), stream.filter(|_, number| number % 2 != 0));
    let text = |number: Option<&i64>| number.map(ToString::to_string).unwrap_or_default();
    let both = move |left: Option<&i64>, right: Option<&i64>| format!("{}+{}", text(left), text(right));
    left.join_stream(&right, windows, "inner", move |_, left, right| both(Some(left), Some(right))).to("Inner");
    left.left_join_stream(&right, windows, "left", move |_, left, right| both(Some(left), right)).to("Left");
    left.outer_join_stream(&right, windows, "outer", move |_, left, right| both(left, right)).to("Outer");
}

/// Builds counts, lists and joins over the same input, which panics when `fuse` has burnt down to 0.
fn driver(advance: i64, grace: i64, apart: Apart, fuse: Arc<AtomicI64>) -> TopologyTestDriver {
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
    join(&stream, apart);
    common::driver(&builder)
}

/// Once what is sent is committed, however often the application dies on the way.
fn settle(driver: &TopologyTestDriver) {
    while let Err(error) = driver.status() {
        assert!(error.chain().contains("the crash that was asked for"), "{}", error.chain());
    }
}

fn check(steps: &[Step], advance: i64, grace: i64, apart: Apart) -> Result<(), TestCaseError> {
    let fuse = Arc::new(AtomicI64::new(0));
    let driver = driver(advance, grace, apart, fuse.clone());
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
    for kind in [JoinKind::Inner, JoinKind::Left, JoinKind::Outer] {
        let found = driver.output::<String, String>(&format!("{kind:?}")).read().expect("reads");
        prop_assert_eq!(found, expected_joins(&sent, apart, kind), "{:?}", kind);
    }
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
    fn windows_hold_exactly_their_records_whatever_happens(
        steps in steps(), (advance, grace) in windows(), apart in apart(),
    ) {
        check(&steps, advance, grace, apart)?;
    }
}
