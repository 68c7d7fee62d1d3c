//! Silence is the time in which a thread waits, not the time in which it works.

use tidemill_state::{Codec as _, Coded};

use super::{
    Arc, Duration, EmbeddedLog, EmitStrategy, Entry, ManualClock, Prepared, StreamThread, StreamsBuilder,
    StreamsConfig, TimeWindows,
    odd_log::{OddLog, Oddities},
};
use crate::{KStream, Windowed, names::ThreadName};

/// The clock and the log of a test.
struct World {
    clock: ManualClock,
    log: EmbeddedLog,
    oddities: Oddities,
}

impl World {
    fn new() -> Self {
        Self::with_partitions(1)
    }

    fn with_partitions(count: i32) -> Self {
        let clock = ManualClock::new(0);
        let log_clock = clock.clone();
        let log = EmbeddedLog::builder().clock(log_clock).in_memory();
        for topic in ["in", "out"] {
            log.create(topic, count).expect("the log is empty");
        }
        Self { clock, log, oddities: Oddities::default() }
    }

    /// Counts the records that `steps` make from "in", in windows of one second that close after 300 ms of silence.
    fn count(&self, steps: impl FnOnce(KStream<String, i64>) -> KStream<String, i64>) -> StreamThread {
        let builder = StreamsBuilder::new();
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
        let emit = EmitStrategy::on_window_close().idle_after(Duration::from_millis(300));
        let counted = steps(builder.stream("in")).group_by_key().windowed_by(windows).emit(emit).count("counts");
        counted.to_stream().to("out");
        let transport = Arc::new(OddLog { log: self.log.clone(), oddities: self.oddities.clone() });
        let config = StreamsConfig { session_timeout: Duration::MAX, ..StreamsConfig::new("app") };
        let topology = builder.build().expect("is valid");
        let app = Prepared::new(&topology, config, transport, Arc::new(self.clock.clone()), "a".to_owned());
        StreamThread::start(app.expect("can start"), ThreadName::new("a", 0)).expect("starts")
    }

    /// Appends one record to a partition. The record's value is its time.
    fn append_to(&self, partition: i32, time: i64) {
        let entry = Entry::new("k", time.to_be_bytes().to_vec(), time);
        self.log.append("in", partition, [entry]).expect("appends");
    }

    /// Appends one record for each of these times. The record's value is its time.
    fn append(&self, times: impl IntoIterator<Item = i64>) {
        append(&self.log, times);
    }

    /// Runs turns of the thread while time passes, until all work is done and all windows are closed.
    fn run(&self, thread: &mut StreamThread) {
        for _ in 0..100 {
            thread.step(Duration::ZERO).expect("works");
            self.clock.advance(Duration::from_millis(50));
        }
    }

    fn counts(&self) -> Vec<(i64, i64)> {
        let counts = self.log.read_all("out").expect("reads").into_iter().map(|(_, record)| {
            let key = <Windowed<String> as Coded>::Codec::default().decode_opt(record.key).expect("decodes");
            let count: i64 = <i64 as Coded>::Codec::default().decode_opt(record.value).expect("decodes");
            (key.window.start, count)
        });
        counts.collect()
    }
}

fn append(log: &EmbeddedLog, times: impl IntoIterator<Item = i64>) {
    let entry = |time: i64| Entry::new("k", time.to_be_bytes().to_vec(), time);
    log.append("in", 0, times.into_iter().map(entry)).expect("appends");
}

#[test]
fn a_step_that_takes_long_above_a_repartition_is_not_silence_below_it() {
    let world = World::new();
    let clock = world.clock.clone();
    let slow_at_11 = move |time: i64| {
        if time == 110 {
            clock.advance(Duration::from_millis(2_500));
        }
        time
    };
    let mut thread = world.count(|stream| stream.map_values(slow_at_11).repartition("again"));
    world.append((1..=10).map(|number| number * 10));
    for _ in 0..10 {
        thread.step(Duration::ZERO).expect("works");
        thread.commit_now().expect("commits");
    }
    world.append((11..=20).map(|number| number * 10));
    world.run(&mut thread);
    assert_eq!(world.counts(), [(0, 20)]);
}

#[test]
fn a_record_that_takes_long_does_not_make_those_late_that_come_meanwhile() {
    let world = World::new();
    let (clock, log) = (world.clock.clone(), world.log.clone());
    let slow_at_first = move |time: i64| {
        if time == 10 {
            clock.advance(Duration::from_millis(2_500));
            append(&log, (2..=18).map(|number| number * 10));
        }
        time
    };
    let mut thread = world.count(|stream| stream.map_values(slow_at_first));
    world.append([10]);
    world.run(&mut thread);
    assert_eq!(world.counts(), [(0, 18)]);
}

#[test]
fn a_thread_that_waits_lets_time_pass() {
    let world = World::new();
    let mut thread = world.count(|stream| stream);
    world.append([10]);
    for _ in 0..10 {
        thread.step(Duration::ZERO).expect("works");
    }
    world.clock.advance(Duration::from_millis(299));
    thread.step(Duration::ZERO).expect("ticks");
    let idle_ms = |thread: &mut StreamThread| thread.tasks.running().next().expect("it runs").ctx.idle_ms;
    assert_eq!(idle_ms(&mut thread), 299);
    world.clock.advance(Duration::from_millis(1_000));
    // A commit is work, and a repair after an error is work, too.
    thread.commit_now().expect("commits");
    thread.step(Duration::ZERO).expect("works");
    assert_eq!(idle_ms(&mut thread), 299);
}

#[test]
fn an_idle_task_beside_one_that_is_always_busy_is_idle() {
    let world = World::with_partitions(2);
    let clock = world.clock.clone();
    let slow = move |time: i64| {
        clock.advance(Duration::from_millis(20));
        time
    };
    let mut thread = world.count(|stream| stream.map_values(slow));
    world.append_to(1, 10);
    for time in 0..20 {
        world.append_to(0, time);
        thread.step(Duration::ZERO).expect("works");
    }
    assert_eq!(world.counts(), []);
    for time in 0..100 {
        world.append_to(0, time);
        thread.step(Duration::ZERO).expect("works");
    }
    thread.commit_now().expect("commits");
    assert_eq!(world.counts(), [(0, 1)], "the busy one has more to come");
}

#[test]
fn of_a_turn_that_takes_long_no_more_is_silence_than_a_poll_may_wait() {
    let world = World::with_partitions(2);
    let clock = world.clock.clone();
    let hangs = move |time: i64| {
        clock.advance(Duration::from_secs(10));
        time
    };
    let mut thread = world.count(|stream| stream.map_values(hangs));
    for _ in 0..5 {
        thread.step(Duration::ZERO).expect("works");
    }
    let before: Vec<_> = thread.tasks.running().map(|task| task.ctx.idle_ms).collect();
    world.append_to(0, 10);
    thread.step(Duration::ZERO).expect("works");
    thread.step(Duration::ZERO).expect("works");
    let after: Vec<_> = thread.tasks.running().map(|task| task.ctx.idle_ms).collect();
    let passed: Vec<_> = before.iter().zip(after).map(|(before, after)| after - before).collect();
    assert_eq!(passed, [0, 50]);
}

#[test]
fn records_that_are_slow_in_coming_are_not_silence() {
    let world = World::new();
    let mut thread = world.count(|stream| stream);
    world.append([10]);
    for _ in 0..10 {
        thread.step(Duration::ZERO).expect("works");
    }
    world.oddities.set(|odd| odd.brings_nothing = true);
    world.append([20]);
    world.run(&mut thread);
    assert_eq!(world.counts(), [], "the log has another record, which is on its way");
    world.oddities.set(|odd| odd.brings_nothing = false);
    world.run(&mut thread);
    assert_eq!(world.counts(), [(0, 2)]);
}
