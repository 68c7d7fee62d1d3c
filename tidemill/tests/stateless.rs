//! Steps without state: what each makes of records, keys, timestamps and headers.

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use common::{Tested, driver, is_drained, records, wait_until};
use tidemill::{
    KStream, Repartitioned, Streams, StreamsBuilder, StreamsConfig, partition_for,
    transport::{
        Headers,
        embedded::{EmbeddedLog, Entry},
    },
};

type Numbers = KStream<String, i64>;

/// Pipes a, b and c, numbered and timed, through the step and reads what comes out.
fn through(step: impl FnOnce(Numbers) -> Numbers) -> Vec<(String, i64, i64)> {
    let builder = StreamsBuilder::new();
    step(builder.stream("in")).to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, i64>("in");
    for (key, value, timestamp) in [("a", 1, 10), ("b", 2, 20), ("c", 3, 30)] {
        input.pipe(key.into(), value, timestamp).expect("processes");
    }
    driver.output::<String, i64>("out").read().expect("reads")
}

fn owned(records: &[(&str, i64, i64)]) -> Vec<(String, i64, i64)> {
    records.iter().map(|(key, value, timestamp)| ((*key).to_owned(), *value, *timestamp)).collect()
}

#[test]
fn map_changes_key_and_value() {
    let out = through(|stream| stream.map(|key, value| (key + "!", value * 10)));
    assert_eq!(out, owned(&[("a!", 10, 10), ("b!", 20, 20), ("c!", 30, 30)]));
}

#[test]
fn map_values_keeps_the_key() {
    let out = through(|stream| stream.map_values(|value| -value));
    assert_eq!(out, owned(&[("a", -1, 10), ("b", -2, 20), ("c", -3, 30)]));
    let out = through(|stream| stream.map_values_with_key(|key, value| value + i64::from(key == "b")));
    assert_eq!(out, owned(&[("a", 1, 10), ("b", 3, 20), ("c", 3, 30)]));
}

#[test]
fn filters_keep_or_drop_by_key_and_value() {
    let out = through(|stream| stream.filter(|key, value| key == "a" || *value == 3));
    assert_eq!(out, owned(&[("a", 1, 10), ("c", 3, 30)]));
    let out = through(|stream| stream.filter_not(|key, value| key == "a" || *value == 3));
    assert_eq!(out, owned(&[("b", 2, 20)]));
}

#[test]
fn flat_map_makes_any_number_of_records_in_order() {
    let out = through(|stream| stream.flat_map(|key, value| (1..value).map(move |n| (key.clone(), n))));
    assert_eq!(out, owned(&[("b", 1, 20), ("c", 1, 30), ("c", 2, 30)]));
    let out = through(|stream| stream.flat_map_values(|value| vec![value; usize::from(value == 2) * 2]));
    assert_eq!(out, owned(&[("b", 2, 20), ("b", 2, 20)]));
}

#[test]
fn peek_looks_at_each_record_and_lets_it_pass() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = seen.clone();
    let out = through(|stream| {
        stream.peek(move |key, value| notes.lock().expect("nobody panics").push(format!("{key}{value}")))
    });
    assert_eq!(out.len(), 3);
    assert_eq!(*seen.lock().expect("nobody panics"), ["a1", "b2", "c3"]);
}

#[test]
fn select_key_keeps_the_value() {
    let out = through(|stream| stream.select_key(|key, value| format!("{key}{value}")));
    assert_eq!(out, owned(&[("a1", 1, 10), ("b2", 2, 20), ("c3", 3, 30)]));
}

#[test]
fn merged_streams_flow_in_the_order_of_their_timestamps() -> Tested {
    let builder = StreamsBuilder::new();
    let left: Numbers = builder.stream("left");
    left.merge(&builder.stream("right")).to("out");
    let driver = driver(&builder);
    for (key, timestamp) in [("l1", 10), ("l2", 30)] {
        driver.input::<String, i64>("left").enqueue(key.into(), 0, timestamp)?;
    }
    for (key, timestamp) in [("r1", 5), ("r2", 20)] {
        driver.input::<String, i64>("right").enqueue(key.into(), 0, timestamp)?;
    }
    let keys: Vec<_> = driver.output::<String, i64>("out").read()?.into_iter().map(|(key, ..)| key).collect();
    assert_eq!(keys, ["r1", "l1", "r2", "l2"]);
    Ok(())
}

#[test]
fn a_stream_merged_with_itself_has_each_record_twice() {
    let out = through(|stream| stream.merge(&stream));
    assert_eq!(out, owned(&[("a", 1, 10), ("a", 1, 10), ("b", 2, 20), ("b", 2, 20), ("c", 3, 30), ("c", 3, 30)]));
}

#[test]
fn a_record_goes_to_the_first_branch_that_matches() -> Tested {
    let builder = StreamsBuilder::new();
    let stream: Numbers = builder.stream("in");
    let split = || stream.split().branch(|_, value| *value > 1).branch(|_, value| *value > 2);
    for (branch, topic) in split().default_branch().into_iter().zip(["first", "second", "rest"]) {
        branch.to(topic);
    }
    for (branch, topic) in split().no_default().into_iter().zip(["alone-first", "alone-second"]) {
        branch.to(topic);
    }
    let driver = driver(&builder);
    driver.input::<String, i64>("in").pipe_all([("k".into(), 1, 0), ("k".into(), 2, 1), ("k".into(), 3, 2)])?;
    for (topic, expect) in [
        ("first", vec![2, 3]),
        ("second", vec![]),
        ("rest", vec![1]),
        ("alone-first", vec![2, 3]),
        ("alone-second", vec![]),
    ] {
        assert_eq!(driver.output::<String, i64>(topic).read_values()?, expect, "{topic}");
    }
    Ok(())
}

#[test]
fn a_stream_used_twice_feeds_both() -> Tested {
    let builder = StreamsBuilder::new();
    let stream: Numbers = builder.stream("in");
    stream.map_values(|value| value + 1).to("more");
    stream.map_values(|value| value - 1).to("less");
    let driver = driver(&builder);
    driver.input::<String, i64>("in").pipe("k".into(), 5, 0)?;
    assert_eq!(driver.output::<String, i64>("more").read_values()?, [6]);
    assert_eq!(driver.output::<String, i64>("less").read_values()?, [4]);
    Ok(())
}

#[test]
fn headers_and_timestamps_stay_with_the_record_through_every_step() -> Tested {
    let builder = StreamsBuilder::new();
    let stream: Numbers = builder.stream("in");
    let mut branches = stream
        .map(|key, value| (key, value))
        .map_values(|value| value)
        .filter(|_, _| true)
        .flat_map_values(|value| [value, value])
        .peek(|_, _| {})
        .select_key(|key, _| key.clone())
        .repartition("again")
        .split()
        .default_branch();
    branches.remove(0).to("out");
    let driver = driver(&builder);
    let mut headers = Headers::new();
    headers.push("trace", "7");
    headers.push("trace", "8");
    let value = 1_i64.to_be_bytes().to_vec();
    driver.log().append("in", 0, [Entry { headers: headers.clone(), ..Entry::new("k", value, 42) }])?;
    let out = driver.output::<String, i64>("out").read_records()?;
    assert_eq!(out.len(), 2);
    for record in out {
        assert_eq!((record.timestamp, &record.headers), (42, &headers));
    }
    Ok(())
}

#[test]
fn repartitioned_records_of_one_key_meet_in_the_partition_that_murmur2_gives() -> Tested {
    let log = EmbeddedLog::in_memory();
    log.create("lines", 3)?;
    log.create("counts", 1)?;
    let builder = StreamsBuilder::new();
    builder
        .stream::<String, String>("lines")
        .select_key(|_, word| word.clone())
        .repartition(Repartitioned::<String, String>::from("by-word").partitions(4))
        .group_by_key()
        .count("word-counts")
        .to_stream()
        .to("counts");
    let config = StreamsConfig { num_stream_threads: 2, ..StreamsConfig::new("words") };
    let streams = Streams::start(&builder.build()?, config, log.clone())?;
    for number in 0..600 {
        log.append("lines", number % 3, [Entry::new("line", format!("word-{}", number % 37), i64::from(number))])?;
    }
    wait_until("all counted", || is_drained(&log, "words") && log.end_offsets("counts").is_ok_and(|end| end[0] == 600));
    streams.close()?;

    let mut partitions = BTreeMap::new();
    for (partition, word, _) in records::<String, String>(&log, "words-by-word-repartition") {
        assert_eq!(partition, partition_for(Some(word.as_bytes()), 4), "{word}");
        *partitions.entry(partition).or_insert(0) += 1;
    }
    assert_eq!(partitions.len(), 4);
    assert_eq!(partitions.values().sum::<i32>(), 600);
    let last: BTreeMap<_, _> =
        records::<String, i64>(&log, "counts").into_iter().map(|(_, word, count)| (word, count)).collect();
    let expect: BTreeMap<_, _> = (0..37).map(|n| (format!("word-{n}"), if n < 600 % 37 { 17 } else { 16 })).collect();
    assert_eq!(last, expect);
    Ok(())
}

/// Splits a stream by a bit of its values and puts both parts together again.
fn diamond(stream: &Numbers, bit: u32) -> Numbers {
    let is_set = move |value: &i64| value >> bit & 1 == 1;
    stream.filter(move |_, value| is_set(value)).merge(&stream.filter(move |_, value| !is_set(value)))
}

#[test]
fn a_chain_of_64_diamonds_is_built_in_no_more_than_its_length() {
    // Through 64 of them lead more ways than anybody can follow.
    let values = [0, 1, -1, i64::MAX, 0x5555];
    let builder = StreamsBuilder::new();
    let stream = (0..64).fold(builder.stream("in"), |stream, bit| diamond(&stream, bit));
    let again = stream.select_key(|_, value| value.to_string()).repartition("again");
    let joined = (0..64).fold(again, |stream, bit| diamond(&stream, bit));
    let counts = joined.group_by_key().count("counts");
    joined.join(&counts, |_, value, count| value * count).to("out");
    let driver = driver(&builder);
    assert!(driver.plan().describe().contains("(merge)"));
    for value in values {
        driver.input::<String, i64>("in").pipe("k".into(), value, 0).expect("processes");
    }
    let out = driver.output::<String, i64>("out").read_values().expect("reads");
    assert_eq!(out, values);
}
