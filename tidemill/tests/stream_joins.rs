//! Joins of two streams within a time difference. What is joined under disorder and crashes is compared with a plain
//! program in `oracle.rs`, and with Kafka Streams in `kafka_streams_parity`.

mod common;

use std::time::Duration;

use common::{Tested, driver};
use tidemill::{
    JoinWindows, KStream, StreamJoined, StreamsBuilder,
    testing::{DriverOptions, TestOutputTopic, TopologyTestDriver},
    transport::{Headers, embedded::Entry},
};

const MS: fn(u64) -> Duration = Duration::from_millis;

type Text = Option<String>;

fn streams(builder: &StreamsBuilder) -> (KStream<Text, Text>, KStream<Text, Text>) {
    (builder.stream("left"), builder.stream("right"))
}

fn both(left: Option<&Text>, right: Option<&Text>) -> String {
    let text = |side: Option<&Text>| side.cloned().flatten().unwrap_or_default();
    format!("{}+{}", text(left), text(right))
}

/// The outer join, and the inner one.
fn joining(windows: JoinWindows) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let (left, right) = streams(&builder);
    left.outer_join_stream(&right, windows, "outer", |_, left, right| both(left, right)).to("out");
    left.join_stream(&right, windows, "inner", |_, left, right| both(Some(left), Some(right))).to("pairs");
    driver(&builder)
}

fn send(driver: &TopologyTestDriver, topic: &str, values: &[(&str, i64)]) -> Tested {
    for (value, timestamp) in values {
        driver.input::<Text, Text>(topic).pipe(Some("k".into()), Some((*value).to_owned()), *timestamp)?;
    }
    Ok(())
}

fn read(driver: &TopologyTestDriver, topic: &str) -> Vec<(String, i64)> {
    let out: TestOutputTopic<Text, String> = driver.output(topic);
    out.read().expect("reads").into_iter().map(|(_, value, timestamp)| (value, timestamp)).collect()
}

fn out(pairs: &[(&str, i64)]) -> Vec<(String, i64)> {
    pairs.iter().map(|(value, timestamp)| ((*value).to_owned(), *timestamp)).collect()
}

#[test]
fn records_a_difference_apart_are_joined_and_those_a_millisecond_more_are_not() -> Tested {
    let driver = joining(JoinWindows::of_time_difference_and_grace(MS(10), MS(5)));
    send(&driver, "left", &[("a", 20)])?;
    send(&driver, "right", &[("1", 9), ("2", 10), ("3", 20), ("4", 30), ("5", 31)])?;
    assert_eq!(read(&driver, "pairs"), out(&[("a+2", 20), ("a+3", 20), ("a+4", 30)]));
    Ok(())
}

#[test]
fn without_difference_and_grace_only_records_of_one_time_are_joined() -> Tested {
    let driver = joining(JoinWindows::of_time_difference_with_no_grace(MS(0)));
    send(&driver, "left", &[("a", 5)])?;
    send(&driver, "right", &[("1", 5)])?;
    send(&driver, "right", &[("2", 6)])?;
    send(&driver, "left", &[("b", 7)])?;
    assert_eq!(read(&driver, "out"), out(&[("a+1", 5), ("+2", 6)]));
    Ok(())
}

#[test]
fn a_window_may_last_for_ever() -> Tested {
    let driver = joining(JoinWindows::of_time_difference_and_grace(Duration::MAX, Duration::MAX));
    send(&driver, "left", &[("a", 0)])?;
    send(&driver, "right", &[("1", i64::MAX / 32)])?;
    assert_eq!(read(&driver, "out"), out(&[("a+1", i64::MAX / 32)]));
    Ok(())
}

#[test]
fn before_and_after_say_where_the_right_record_may_be() -> Tested {
    for (before, after, expected) in [(10, 0, ["a+1", "a+2"]), (0, 10, ["a+2", "a+3"])] {
        let driver =
            joining(JoinWindows::of_time_difference_and_grace(MS(0), MS(50)).before(MS(before)).after(MS(after)));
        send(&driver, "left", &[("a", 20)])?;
        send(&driver, "right", &[("1", 12), ("2", 20), ("3", 28)])?;
        let pairs: Vec<_> = read(&driver, "pairs").into_iter().map(|(pair, _)| pair).collect();
        assert_eq!(pairs, expected, "{before} before, {after} after");
    }
    Ok(())
}

#[test]
fn what_found_no_partner_comes_out_when_its_window_closes_by_the_end_of_windows() -> Tested {
    let driver = joining(JoinWindows::of_time_difference_and_grace(MS(10), MS(5)));
    send(&driver, "left", &[("b", 4), ("a", 2)])?;
    send(&driver, "right", &[("1", 17)])?;
    assert_eq!(read(&driver, "out"), [], "stream time is at the end plus grace");
    send(&driver, "right", &[("2", 18)])?;
    assert_eq!(read(&driver, "out"), out(&[("a+", 2)]));
    send(&driver, "left", &[("z", 1_000)])?;
    assert_eq!(read(&driver, "out"), out(&[("a+", 2), ("b+", 4), ("+1", 17), ("+2", 18)]));
    assert_eq!(read(&driver, "pairs"), []);
    Ok(())
}

#[test]
fn a_late_record_is_counted_and_joined_with_nothing() -> Tested {
    let driver = joining(JoinWindows::of_time_difference_and_grace(MS(10), MS(5)));
    send(&driver, "right", &[("1", 80), ("2", 100)])?;
    send(&driver, "left", &[("in time", 85), ("late", 84)])?;
    assert_eq!(read(&driver, "out"), out(&[("+1", 80)]), "1 had come out alone and cannot be joined any more");
    let dropped = driver.status()?.tasks[0].records_dropped.clone();
    assert_eq!(dropped, [("outer-left".into(), "late", 1), ("inner-left".into(), "late", 1)]);
    Ok(())
}

#[test]
fn nulls_are_joined_with_nothing_and_a_null_key_comes_out_alone_where_its_side_may() -> Tested {
    let builder = StreamsBuilder::new();
    let (left, right) = streams(&builder);
    let windows = JoinWindows::of_time_difference_with_no_grace(MS(10));
    left.left_join_stream(&right, windows, "left-join", |_, left, right| both(Some(left), right)).to("out");
    let driver = driver(&builder);
    for topic in ["left", "right"] {
        let input = driver.input::<Text, Text>(topic);
        for (key, value) in [(None, Some("keyless")), (Some("k"), None), (None, None)] {
            input.pipe(key.map(Into::into), value.map(Into::into), 1)?;
        }
    }
    assert_eq!(driver.output::<Text, String>("out").read()?, [(None, "keyless+".into(), 1)]);
    let mut dropped = driver.status()?.tasks[0].records_dropped.clone();
    dropped.sort();
    let expected = [
        ("left-join-left", "null-key", 1),
        ("left-join-left", "null-value", 1),
        ("left-join-right", "null-key", 2),
        ("left-join-right", "null-value", 1),
    ];
    assert_eq!(dropped, expected.map(|(node, reason, count)| (node.to_owned(), reason, count)));
    Ok(())
}

#[test]
fn silence_closes_windows_where_the_join_says_after_how_long() -> Tested {
    let windows = JoinWindows::of_time_difference_and_grace(MS(1_000), MS(500));
    for (windows, expected) in [(windows, out(&[])), (windows.idle_after(MS(300)), out(&[("a+", 0)]))] {
        let driver = joining(windows);
        send(&driver, "left", &[("a", 0)])?;
        driver.advance_wall_clock(MS(1_500))?;
        assert_eq!(read(&driver, "out"), [], "stream time is at 1500 at most");
        driver.advance_wall_clock(MS(1))?;
        assert_eq!(read(&driver, "out"), expected);
    }
    Ok(())
}

#[test]
fn a_stream_is_joined_with_itself() -> Tested {
    let builder = StreamsBuilder::new();
    let (left, _) = streams(&builder);
    let windows = JoinWindows::of_time_difference_with_no_grace(MS(10));
    left.join_stream(&left, windows, "self", |_, left, right| both(Some(left), Some(right))).to("out");
    let driver = driver(&builder);
    send(&driver, "left", &[("a", 0), ("b", 5)])?;
    assert_eq!(read(&driver, "out"), out(&[("a+a", 0), ("b+a", 5), ("a+b", 5), ("b+b", 5)]));
    Ok(())
}

#[test]
fn a_pair_has_the_headers_of_the_record_that_came_last_and_what_is_alone_has_none() -> Tested {
    let driver = joining(JoinWindows::of_time_difference_with_no_grace(MS(10)));
    for (topic, value, timestamp) in [("left", "a", 0), ("right", "1", 5), ("left", "z", 90), ("right", "y", 200)] {
        let mut headers = Headers::new();
        headers.push("of", value);
        driver.log().append(topic, 0, [Entry { headers, ..Entry::new("k", value, timestamp) }])?;
        driver.status()?;
    }
    let records = driver.output::<Text, String>("out").read_records()?;
    let headers = records.iter().map(|record| (record.value.as_str(), record.headers.iter().count()));
    assert_eq!(headers.collect::<Vec<_>>(), [("a+1", 1), ("z+", 0)]);
    let last = records[0].headers.iter().find_map(|header| header.value.as_deref());
    assert_eq!(last, Some(&b"1"[..]));
    Ok(())
}

#[test]
fn stores_may_be_in_memory_or_without_changelog_and_are_named_for_the_join() -> Tested {
    let builder = StreamsBuilder::new();
    let (left, right) = streams(&builder);
    let windows = JoinWindows::of_time_difference_with_no_grace(MS(10));
    let joined: StreamJoined<_, _, _> = "clicks".into();
    left.left_join_stream(&right, windows, joined.in_memory(), |_, left, right| both(Some(left), right)).to("out");
    let joined: StreamJoined<_, _, _> = "views".into();
    left.join_stream(&right, windows, joined.without_logging(), |_, _, _| String::new()).to("out-2");
    let topology = builder.build()?;
    let stores: Vec<_> = topology.stores().map(|store| (&*store.name, store.persistent, store.logged)).collect();
    assert_eq!(
        stores,
        [
            ("clicks-left", false, true),
            ("clicks-right", false, true),
            ("clicks-unmatched", false, true),
            ("views-left", true, false),
            ("views-right", true, false),
        ]
    );
    Ok(())
}

#[test]
fn sides_that_cannot_meet_are_refused() {
    let windows = JoinWindows::of_time_difference_with_no_grace(MS(10));
    let builder = StreamsBuilder::new();
    let (left, right) = streams(&builder);
    let rekeyed = right.select_key(|_, value| value.clone());
    left.join_stream(&rekeyed, windows, "join", |_, _, _| String::new()).to("out");
    let problems = builder.build().expect_err("the right side is partitioned by another key").to_string();
    assert!(problems.contains("'join-right' relies on the key"), "{problems}");

    let (builder, other) = (StreamsBuilder::new(), StreamsBuilder::new());
    let (left, right) = (streams(&builder).0, streams(&other).1);
    left.join_stream(&right, windows, "join", |_, _, _| String::new()).to("out");
    let problems = builder.build().expect_err("the sides are of two builders").to_string();
    assert!(problems.contains("the inputs of a join of two streams belong to two builders"), "{problems}");

    let builder = StreamsBuilder::new();
    let (left, right) = streams(&builder);
    left.join_stream(&right, windows, "join", |_, _, _| String::new()).to("out");
    let options = DriverOptions { partitions: [("left".to_owned(), 2)].into(), ..DriverOptions::default() };
    let problems =
        TopologyTestDriver::with(&builder.build().expect("is valid"), options).err().map(|it| it.to_string());
    let problems = problems.unwrap_or_default();
    assert!(problems.contains("left") && problems.contains("right") && problems.contains("partition"), "{problems}");
}
