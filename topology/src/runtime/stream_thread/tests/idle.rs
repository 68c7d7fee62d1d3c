//! What counts as silence: the time in which a thread waits, not that in which it works.

use std::collections::BTreeMap;

use tidemill_state::{Codec as _, Coded};

use super::{
    Admin, Arc, CommittedOffset, Consumer, ConsumerConfig, Duration, EmbeddedLog, EmitStrategy, Entry, GroupMetadata,
    ManualClock, Offset, Prepared, Producer, ProducerConfig, Reader, StreamThread, StreamsBuilder, StreamsConfig,
    TimeWindows, TopicPartition, Transport, TransportError,
};
use crate::{
    KStream, Windowed,
    transport::{Polled, Rebalance, Topic},
};

/// What a test moves: time, and a log.
struct World {
    clock: ManualClock,
    log: EmbeddedLog,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new(0);
        let log_clock = clock.clone();
        let log = EmbeddedLog::builder().clock(log_clock).in_memory();
        for topic in ["in", "out"] {
            log.create(topic, 1).expect("the log is empty");
        }
        Self { clock, log }
    }

    /// Counts what `steps` make of "in" in windows of a second, closed after 300 ms of silence.
    fn count(&self, steps: impl FnOnce(KStream<String, i64>) -> KStream<String, i64>) -> StreamThread {
        let builder = StreamsBuilder::new();
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
        let emit = EmitStrategy::on_window_close().idle_after(Duration::from_millis(300));
        let counted = steps(builder.stream("in")).group_by_key().windowed_by(windows).emit(emit).count("counts");
        counted.to_stream().to("out");
        let transport = Arc::new(AsOfPoll(self.log.clone()));
        let config = StreamsConfig { session_timeout: Duration::MAX, ..StreamsConfig::new("app") };
        let topology = builder.build().expect("is valid");
        let app = Prepared::new(&topology, config, transport, Arc::new(self.clock.clone()), "a".to_owned());
        StreamThread::start(app.expect("can start"), "a-0".to_owned()).expect("starts")
    }

    /// Appends one record for each of these times, whose value is the time.
    fn append(&self, times: impl IntoIterator<Item = i64>) {
        append(&self.log, times);
    }

    /// Turns the thread while time passes, until everything is done and every window is closed.
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
    // A commit is work, and so is what an error leaves to do.
    thread.commit_now().expect("commits");
    thread.step(Duration::ZERO).expect("works");
    assert_eq!(idle_ms(&mut thread), 299);
}

/// A log whose consumers answer as Kafka's do: they know the ends of partitions as of their last poll.
struct AsOfPoll(EmbeddedLog);

impl Transport for AsOfPoll {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        Ok(Box::new(ConsumerAsOfPoll { inner: self.0.consumer(config)?, caught_up: BTreeMap::new() }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        self.0.reader()
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        self.0.producer(config)
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        self.0.admin()
    }
}

struct ConsumerAsOfPoll {
    inner: Box<dyn Consumer>,
    caught_up: BTreeMap<TopicPartition, bool>,
}

impl Consumer for ConsumerAsOfPoll {
    fn subscribe(&mut self, topics: &[Topic]) -> Result<(), TransportError> {
        self.inner.subscribe(topics)
    }

    fn poll(&mut self, timeout: Duration) -> Result<Polled, TransportError> {
        let polled = self.inner.poll(timeout)?;
        for rebalance in &polled.rebalances {
            if let Rebalance::Assigned(partitions) = rebalance {
                self.caught_up.extend(partitions.iter().map(|partition| (partition.clone(), false)));
            }
        }
        for (partition, caught_up) in &mut self.caught_up {
            *caught_up = self.inner.is_caught_up(partition);
        }
        Ok(polled)
    }

    fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.inner.release(partitions)
    }

    fn committed(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Option<CommittedOffset>>, TransportError> {
        self.inner.committed(partitions)
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<(), TransportError> {
        self.inner.seek(partition, offset)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.inner.pause(partitions)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), TransportError> {
        self.inner.resume(partitions)
    }

    fn watermarks(&mut self, partition: &TopicPartition) -> Result<(Offset, Offset), TransportError> {
        self.inner.watermarks(partition)
    }

    fn is_caught_up(&mut self, partition: &TopicPartition) -> bool {
        self.caught_up.get(partition).is_some_and(|caught_up| *caught_up)
    }

    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)]) -> Result<(), TransportError> {
        self.inner.commit(offsets)
    }

    fn group_metadata(&self) -> GroupMetadata {
        self.inner.group_metadata()
    }
}
