//! What nobody reads any more is deleted: repartition topics and changelogs do not grow for ever.

mod common;

use std::time::Duration;

use common::driver;
use tidemill_topology::{EmitStrategy, StreamsBuilder, TimeWindows, Windowed};

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
