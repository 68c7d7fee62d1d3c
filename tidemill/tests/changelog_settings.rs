//! Settings of changelog topics: which topics get them, and which are refused.

mod common;

use std::time::Duration;

use common::Tested;
use tidemill::{
    JoinWindows, Joined, Materialized, StreamJoined, StreamsBuilder, TimeWindows, state::Utf8,
    testing::TopologyTestDriver,
};

#[test]
fn each_changelog_of_a_step_has_its_settings_and_no_other_topic() -> Tested {
    let builder = StreamsBuilder::new();
    let (one, two) = (builder.stream::<String, String>("one"), builder.stream::<String, String>("two"));
    let set = [("min.insync.replicas", "2")];
    one.group_by_key().count(Materialized::named("counts").with_logging(set));
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(1)).event_time_by_key();
    one.group_by_key().windowed_by(windows).count(Materialized::named("windows").with_logging(set));
    let joined = StreamJoined::with("joined", Utf8, Utf8, Utf8).with_logging(set);
    let near = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
    one.left_join_stream(&two, near, joined, |_, one, _| one.clone()).to("out");
    let kept = Materialized::named("versions").with_logging(set).versioned(Duration::from_secs(1));
    let table = two.to_table(kept);
    one.join_with(&table, Joined::named("as-of").grace_period(Duration::from_secs(1)), |_, one, _| one).to("out-2");
    one.select_key(|_, value| value.clone()).repartition("by-value").group_by_key().count("plain");

    let driver = TopologyTestDriver::new(&builder.build()?)?;
    let topics = driver.plan().internal_topics();
    let with: Vec<_> = topics.iter().filter(|topic| !topic.config.is_empty()).collect();
    assert!(with.iter().all(|topic| topic.is_changelog && topic.config["min.insync.replicas"] == "2"));
    let mut names: Vec<_> = with.iter().map(|topic| topic.spec.name.trim_start_matches("test-").to_owned()).collect();
    names.sort();
    let stores = ["counts", "joined-left", "joined-right", "joined-unmatched", "versions", "windows", "windows-times"];
    assert_eq!(names, stores.map(|store| format!("{store}-changelog")));
    Ok(())
}

#[test]
fn settings_that_decide_what_stays_are_refused_and_so_are_others_that_cannot_be() {
    let builder = StreamsBuilder::new();
    let grouped = builder.stream::<String, String>("in").group_by_key();
    let settings = [("cleanup.policy", "delete"), ("retention.ms", "1"), ("segment.ms", "1000"), ("Min Insync", "2")];
    grouped.count(Materialized::named("kept").with_logging(settings));
    grouped.count(Materialized::named("lost").with_logging([("segment.ms", "1000")]).without_logging());
    let error = builder.build().expect_err("four of them cannot be");
    let expected = [
        "store 'lost' has settings for its changelog, but it has no changelog",
        "the changelog of store 'kept' cannot have another 'cleanup.policy': it decides which state stays",
        "the changelog of store 'kept' cannot have another 'retention.ms': it decides which state stays",
        "the changelog of store 'kept' has the setting 'Min Insync', which is no name of a topic's setting, such as \
         min.insync.replicas",
    ];
    assert_eq!(error.problems(), expected);
}
