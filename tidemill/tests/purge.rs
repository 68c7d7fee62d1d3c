//! What nobody reads any more is deleted: repartition topics and changelogs do not grow for ever.

mod common;

use std::time::Duration;

use common::driver;
use tidemill::{
    EmitStrategy, StreamsBuilder, TimeWindows, Windowed,
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
};

#[test]
fn a_changelog_keeps_only_open_windows_and_still_restores() {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let grouped = builder.stream::<String, String>("in").group_by_key().windowed_by(windows);
    grouped.collect("elements").to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    for timestamp in (0..100_000).step_by(100) {
        input.pipe("k".into(), "x".into(), timestamp).expect("processes");
    }
    let before = driver.log().read_all("test-elements-changelog").expect("reads").len();
    driver.advance_wall_clock(Duration::from_secs(31)).expect("purges");
    let after = driver.log().read_all("test-elements-changelog").expect("reads").len();
    assert!(before >= 1000 && after < 50, "{before} records became {after}");

    driver.crash();
    input.pipe("k".into(), "x".into(), 100_050).expect("processes");
    let out = driver.output::<Windowed<String>, Vec<String>>("out").read_values().expect("reads");
    assert_eq!(out.iter().map(Vec::len).collect::<Vec<_>>(), vec![10; 100]);
}

#[test]
fn a_changelog_by_key_keeps_what_any_key_still_needs() {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1)).event_time_by_key();
    builder.stream::<String, String>("in").group_by_key().windowed_by(windows).collect("elements").to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    let mut busy = (0..200_000).step_by(100);
    let mut pipe =
        |count: usize| busy.by_ref().take(count).try_for_each(|time| input.pipe("busy".into(), "x".into(), time));
    let length = || driver.log().read_all("test-elements-changelog").expect("reads").len();
    pipe(500).expect("processes");
    input.pipe("behind".into(), "first".into(), 100).expect("processes");
    input.pipe("ahead".into(), "last".into(), 1_000_000_000).expect("processes");
    pipe(500).expect("processes");
    let before = length();
    driver.advance_wall_clock(Duration::from_secs(31)).expect("purges");
    let needed = length();
    assert!((500..before - 300).contains(&needed), "{before} records became {needed}: the oldest open window counts");

    driver.crash();
    input.pipe("behind".into(), "second".into(), 200).expect("processes");
    for (key, time) in [("behind", 1_000), ("behind", 2_000), ("ahead", 2_000_000_000)] {
        input.pipe(key.into(), "x".into(), time).expect("processes");
    }
    pipe(1_000).expect("processes");
    driver.advance_wall_clock(Duration::from_secs(31)).expect("purges");
    assert!(length() < 2_400, "{} records", length());

    let lists = driver.output::<Windowed<String>, Vec<String>>("out").read().expect("reads");
    let of = |key: &str| {
        let lists = lists.iter().filter(|(at, ..)| at.key == key);
        lists.map(|(_, list, _)| list.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("behind"), [vec!["first", "second"], vec!["x"]]);
    assert_eq!(of("ahead"), [["last"]]);
    assert_eq!(of("busy").iter().map(Vec::len).collect::<Vec<_>>(), vec![10; 199]);
}

#[test]
fn a_repartition_topic_keeps_only_what_is_not_processed() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in").select_key(|_, value| value.clone());
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let grouped = stream.repartition("by-value").group_by_key().windowed_by(windows);
    grouped.emit(EmitStrategy::on_window_close()).count("counts").to_stream().to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    for timestamp in 0..100 {
        input.pipe("k".into(), "x".into(), timestamp).expect("processes");
    }
    assert_eq!(driver.log().read_all("test-by-value-repartition").expect("reads").len(), 100);
    driver.advance_wall_clock(Duration::from_secs(31)).expect("purges");
    assert_eq!(driver.log().read_all("test-by-value-repartition").expect("reads").len(), 0);
}

/// How many records a changelog has after purges, and had before.
fn purged(builder: &StreamsBuilder, topics: &[&str], changelogs: &[&str]) -> Vec<(usize, usize)> {
    let driver = driver(builder);
    for timestamp in (0..100_000).step_by(100) {
        for topic in topics {
            driver.input::<String, String>(topic).pipe("k".into(), "x".into(), timestamp).expect("processes");
        }
    }
    let lengths = || changelogs.iter().map(|name| driver.log().read_all(name).expect("reads").len());
    let before: Vec<_> = lengths().collect();
    driver.advance_wall_clock(Duration::from_secs(31)).expect("purges");
    before.into_iter().zip(lengths()).collect()
}

#[test]
fn both_changelogs_of_a_cogroup_keep_only_open_windows() {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    let side = |topic: &str| builder.stream::<String, String>(topic).group_by_key().windowed_by(windows);
    let both = side("left").emit(EmitStrategy::on_window_close()).cogroup(side("right")).collect("lefts", "rights");
    both.map_values(|both| both.left.len() as i64).to("out");
    let purged = purged(&builder, &["left", "right"], &["test-lefts-changelog", "test-rights-changelog"]);
    assert!(purged.iter().all(|(before, after)| *before >= 1000 && *after < 50), "{purged:?}");
}

/// Keeps everything in windows of a second.
struct Keep;

impl Processor<String, String, String, String> for Keep {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        for store in ["kept", "kept-longer"] {
            let kept = ctx.window_store::<String, String>(store)?;
            kept.append(&record.key, record.timestamp / 1000 * 1000, &record.value, record.timestamp)?;
        }
        Ok(())
    }
}

#[test]
fn the_changelog_of_a_processors_window_store_keeps_what_the_store_keeps() {
    let builder = StreamsBuilder::new();
    builder.add_window_store::<String, String>("kept", Duration::from_secs(5));
    builder.add_window_store::<String, String>("kept-longer", Duration::from_secs(20));
    builder.stream::<String, String>("in").process("keep", &["kept", "kept-longer"], || Keep).to("out");
    let purged = purged(&builder, &["in"], &["test-kept-changelog", "test-kept-longer-changelog"]);
    assert!(purged.iter().all(|(before, _)| *before >= 1000), "{purged:?}");
    assert!(purged[0].1 < 100 && purged[1].1 < 300, "{purged:?}");
}
