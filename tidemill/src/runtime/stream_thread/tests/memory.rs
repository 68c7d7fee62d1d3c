//! The memory of a thread stays within its bound, whatever operators cache or close.

use tidemill_state::{BoxError, KeyValueStore};

use super::{Duration, Entry, StreamsBuilder, StreamsConfig, TimeWindows, World};
use crate::{
    EmitStrategy, JoinKind,
    processor::{Processor, ProcessorContext, Record},
};

const KIB: usize = 1 << 10;

fn bounded(max_uncommitted_bytes: usize) -> StreamsConfig {
    // Only the bound causes a commit.
    let commit_interval = Duration::from_hours(1);
    StreamsConfig {
        max_uncommitted_bytes,
        commit_interval,
        session_timeout: Duration::MAX,
        ..StreamsConfig::new("app")
    }
}

#[test]
fn cached_aggregates_count_against_the_bound() {
    let world = World::new(1);
    let builder = StreamsBuilder::new();
    let grouped = builder.stream::<String, String>("in").group_by_key();
    drop(grouped.reduce("last", |_, last| last));
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_hours(1));
    drop(grouped.windowed_by(windows).emit(EmitStrategy::on_window_close()).reduce("last-of-hour", |_, last| last));
    let mut thread = world.thread(&builder, bounded(KIB * KIB));
    let large = "x".repeat(64 * KIB);
    world.log.append("in", 0, (0..200).map(|key| Entry::new(format!("key-{key}"), large.clone(), 0))).expect("appends");
    let mut most = 0;
    for _ in 0..2_000 {
        thread.step(Duration::ZERO).expect("works");
        most = most.max(thread.load().0);
    }
    // Two operators hold each record.
    assert!(most <= 2 * KIB * KIB, "{most} bytes were held");
    assert!(thread.status.commits >= 10, "{} commits", thread.status.commits);
    assert_eq!(
        world.log.group_lag("app")[0].lag,
        world.log.group_lag("app")[0].lag.min(16),
        "all but the last are done"
    );
}

/// Writes each record to a store and has no outputs.
struct Keeps(Option<KeyValueStore<String, String>>);

impl Processor<String, String, String, String> for Keeps {
    fn init(&mut self, ctx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        self.0 = Some(ctx.key_value_store("kept")?);
        Ok(())
    }

    fn process(
        &mut self,
        _ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        let kept = self.0.as_ref().ok_or("not initialised")?;
        Ok(kept.put(&record.key, &record.value, record.timestamp)?)
    }
}

#[test]
fn a_batch_ends_where_its_changes_are_many() {
    let (world, builder) = (World::new(1), StreamsBuilder::new());
    let kept = builder.add_key_value_store::<String, String>("kept");
    builder.stream::<String, String>("in").process("keeps", &[&kept], || Keeps(None)).to("out");
    let mut thread = world.thread(&builder, bounded(KIB * KIB));
    let large = "x".repeat(64 * KIB);
    world.log.append("in", 0, (0..200).map(|key| Entry::new(format!("key-{key}"), large.clone(), 0))).expect("appends");
    let mut most = 0;
    for _ in 0..100 {
        thread.step(Duration::ZERO).expect("works");
        most = most.max(thread.load().0);
    }
    assert!(most <= 3 * KIB * KIB, "{most} bytes were held");
    assert!(thread.status.commits >= 10, "{} commits", thread.status.commits);
}

#[test]
fn a_large_window_closes_piece_by_piece_while_other_tasks_go_on() {
    let world = World::new(2);
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let windowed = || stream.filter(|_, value| value.len() > 1).group_by_key().windowed_by(windows);
    windowed()
        .cogroup(windowed())
        .collect_as(JoinKind::Outer, "lefts", "rights")
        .map_values(|both| both.left.concat() + &both.right.concat())
        .to("out");
    stream.filter(|_, value| value.len() == 1).to("out");
    let mut thread = world.thread(&builder, bounded(64 * KIB * KIB));
    let large = "x".repeat(64 * KIB);
    // 8 MiB in one window, and the record that closes it.
    let window = (0..64).map(|key| Entry::new(format!("key-{key:02}"), large.clone(), 0));
    world.log.append("in", 0, window.chain([Entry::new("closes", large.clone(), 5_000)])).expect("appends");
    let ends = || world.log.end_offsets("out").expect("reads");
    let mut most_at_once = 0;
    for number in 0..400 {
        world.log.append("in", 1, [Entry::new("other", "1", number)]).expect("appends");
        thread.step(Duration::ZERO).expect("works");
        let before: i64 = ends().iter().sum();
        thread.commit_now().expect("commits");
        most_at_once = most_at_once.max(ends().iter().sum::<i64>() - before);
    }
    // A turn closes windows twice: with a record, and when time passes.
    assert!(most_at_once <= 40, "{most_at_once} results of 128 KiB at once");
    let results = world.log.read_all("out").expect("reads").into_iter();
    let mut windows: Vec<_> = results.filter_map(|(_, record)| Some((record.key?, record.value?.len()))).collect();
    windows.retain(|(_, len)| *len > 1);
    assert_eq!(windows.len(), 64);
    assert!(windows.iter().all(|(_, len)| *len == 128 * KIB));
}

#[test]
fn a_close_that_a_crash_interrupts_goes_on_where_its_results_were_committed() {
    let world = World::new(1);
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let stream = builder.stream::<String, String>("in");
    stream.group_by_key().windowed_by(windows).collect("lists").map_values(|list| list.concat()).to("out");
    let large = "x".repeat(64 * KIB);
    let window = (0..64).map(|key| Entry::new(format!("key-{key:02}"), large.clone(), 0));
    world.log.append("in", 0, window.chain([Entry::new("closes", large.clone(), 5_000)])).expect("appends");
    for life in 0..60 {
        let mut thread = world.thread(&builder, bounded(64 * KIB * KIB));
        for _ in 0..20 {
            thread.step(Duration::ZERO).expect("works");
            if life % 2 == 0 {
                thread.commit_now().expect("commits");
            }
            if thread.status.commits >= 2 {
                break;
            }
        }
        // The thread dies with its uncommitted work.
        drop(thread);
        world.clock.advance(Duration::from_mins(1));
    }
    let results = world.log.read_all("out").expect("reads").into_iter();
    let keys: Vec<_> = results.filter_map(|(_, record)| record.key).collect();
    assert_eq!(keys.len(), 64, "each window once");
    assert!(keys.is_sorted());
}
