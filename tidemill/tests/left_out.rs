//! A record that is left out leaves nothing: what comes out is what would, had it never come.

mod common;

use std::time::Duration;

use common::{Tested, not_bad::NotBad, windowed};
use proptest::prelude::*;
use tidemill::{
    EmitStrategy, JoinWindows, KStream, Materialized, RecordHandler, StreamsBuilder, StreamsConfig, TimeWindows,
    Windowed,
    processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record},
    state::{BoxError, Codec, CodecError, KeyValueStore, Utf8},
    testing::{DriverOptions, TopologyTestDriver},
};

type Text = KStream<String, String>;
type Step = Box<dyn Fn(&Text)>;
/// Key, value and time of an output.
type Output = (Option<Vec<u8>>, Option<Vec<u8>>, i64);

fn driver(builder: &StreamsBuilder, handler: RecordHandler) -> TopologyTestDriver {
    let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, ..DriverOptions::default() };
    TopologyTestDriver::with(&builder.build().expect("the topology is valid"), options).expect("the driver starts")
}

fn skipping(builder: &StreamsBuilder) -> TopologyTestDriver {
    driver(builder, RecordHandler::Skip)
}

fn seconds() -> TimeWindows {
    TimeWindows::of_size_with_no_grace(Duration::from_secs(1))
}

fn refuse(stream: &Text) {
    stream.process("not-bad", &[], || NotBad).to("good");
}

fn collect(stream: &Text) {
    stream.group_by_key().windowed_by(seconds()).collect("lists").to("out");
}

/// The branch that refuses is declared before or after the one that keeps something.
fn both_orders(keep: impl Fn(&Text), check: impl Fn(&TopologyTestDriver) -> Tested) -> Tested {
    for refuses_first in [false, true] {
        let builder = StreamsBuilder::new();
        let stream = builder.stream::<String, String>("in");
        if refuses_first {
            refuse(&stream);
        }
        keep(&stream);
        if !refuses_first {
            refuse(&stream);
        }
        check(&skipping(&builder)).map_err(|error| format!("refuses first: {refuses_first}: {error}"))?;
    }
    Ok(())
}

fn pipe(driver: &TopologyTestDriver, records: &[(&str, &str, i64)]) -> Tested {
    let records = records.iter().map(|(key, value, time)| ((*key).to_owned(), (*value).to_owned(), *time));
    Ok(driver.input::<String, String>("in").pipe_all(records)?)
}

#[test]
fn windows_that_a_refused_record_closed_are_not_lost() -> Tested {
    both_orders(collect, |driver| {
        pipe(driver, &[("a", "1", 1), ("b", "bad", 1_500), ("a", "2", 9_000), ("a", "3", 20_000)])?;
        let lists = driver.output::<Windowed<String>, Vec<String>>("out").read()?;
        let lists: Vec<_> = lists.into_iter().map(|(key, list, _)| (key, list)).collect();
        let of = |start, value: &str| (windowed("a", start, start + 1_000), vec![value.to_owned()]);
        assert_eq!(lists, [of(0, "1"), of(9_000, "2")]);
        Ok(())
    })
}

#[test]
fn counts_that_a_refused_record_closed_are_not_lost_and_hold_none_of_it() -> Tested {
    let count = |stream: &Text| {
        let windows = stream.group_by_key().windowed_by(seconds()).emit(EmitStrategy::on_window_close());
        windows.count("counts").to_stream().to("out");
    };
    both_orders(count, |driver| {
        pipe(driver, &[("a", "1", 1), ("a", "bad", 2), ("b", "bad", 1_500), ("a", "2", 9_000)])?;
        let counts = driver.output::<Windowed<String>, i64>("out").read()?;
        assert_eq!(counts, [(windowed("a", 0, 1_000), 1, 1)]);
        Ok(())
    })
}

fn left_join(stream: &Text) {
    let windows = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(1));
    let left = stream.filter(|_, value| value.contains("left"));
    let right = stream.filter(|_, value| value.contains("right"));
    let pair = |_: &String, left: &String, right: Option<&String>| format!("{left}+{right:?}");
    left.left_join_stream(&right, windows, "pairs", pair).to("out");
}

#[test]
fn unmatched_records_that_a_refused_record_closed_are_not_lost() -> Tested {
    both_orders(left_join, |driver| {
        pipe(driver, &[("a", "left", 1), ("b", "bad left", 5_000), ("a", "left", 9_000), ("a", "left", 12_000)])?;
        let pairs = driver.output::<String, String>("out").read()?;
        let pairs: Vec<_> = pairs.into_iter().map(|(_, pair, time)| (pair, time)).collect();
        assert_eq!(pairs, [("left+None".to_owned(), 1), ("left+None".to_owned(), 9_000)]);
        Ok(())
    })
}

#[test]
fn a_record_whose_pair_is_refused_still_comes_out_alone() -> Tested {
    both_orders(left_join, |driver| {
        pipe(driver, &[("a", "left", 1), ("a", "bad right", 2), ("a", "left", 9_000)])?;
        assert_eq!(driver.output::<String, String>("out").read_values()?, ["left+None"]);
        Ok(())
    })
}

#[test]
fn the_store_shows_what_the_topic_shows() -> Tested {
    let count = |stream: &Text| stream.group_by_key().count("counts").to_stream().to("out");
    both_orders(count, |driver| {
        pipe(driver, &[("a", "1", 1), ("a", "bad", 2)])?;
        assert_eq!(driver.output::<String, i64>("out").read_values()?, [1]);
        let store = driver.key_value_store::<String, i64>("counts", 0)?.ok_or("it is there")?;
        assert_eq!(store.get(&"a".to_owned())?, Some(1));
        driver.crash();
        let store = driver.key_value_store::<String, i64>("counts", 0)?.ok_or("it is there")?;
        assert_eq!(store.get(&"a".to_owned())?, Some(1));
        Ok(())
    })
}

#[test]
fn a_dead_letter_is_in_no_list_so_that_it_may_be_sent_again() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    collect(&stream);
    refuse(&stream);
    let driver = driver(&builder, RecordHandler::DeadLetter("dead".into()));
    pipe(&driver, &[("a", "1", 1), ("a", "bad", 2)])?;
    let dead = driver.output::<String, String>("dead").read_values()?;
    assert_eq!(dead, ["bad"]);
    pipe(&driver, &[("a", "mended", 2), ("a", "2", 1_000)])?;
    let lists = driver.output::<Windowed<String>, Vec<String>>("out").read_values()?;
    assert_eq!(lists, [["1", "mended"]]);
    Ok(())
}

#[test]
fn of_hopping_windows_none_holds_a_refused_record() -> Tested {
    // Refuses the second count of one window only.
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_and_grace(Duration::from_millis(20), Duration::from_secs(1));
    let counts = builder.stream::<String, String>("in").group_by_key();
    let counts = counts
        .windowed_by(windows.advance_by(Duration::from_millis(10)))
        .count("counts")
        .to_stream()
        .drop_null_values();
    counts.process("refuses", &[], || Refuses).to("out");
    let driver = skipping(&builder);
    pipe(&driver, &[("a", "1", 15), ("a", "2", 15), ("a", "3", 25)])?;
    let found = driver.output::<Windowed<String>, i64>("out").read()?;
    let found: Vec<_> = found.into_iter().map(|(key, count, _)| (key.window.start, count)).collect();
    // Both later records are refused in [10, 30), and so they are in no other window either.
    assert_eq!(found, [(0, 1), (10, 1)]);
    let store = driver.window_store::<String, i64>("counts", 0)?.ok_or("it is there")?;
    let starts: Vec<_> = store.all().read_all()?.into_iter().map(|((_, start), count)| (start, count)).collect();
    assert_eq!(starts, [(0, 1), (10, 1)]);
    Ok(())
}

struct Refuses;

impl Processor<Windowed<String>, i64, Windowed<String>, i64> for Refuses {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, i64>,
        record: Record<Windowed<String>, i64>,
    ) -> Result<(), BoxError> {
        if record.key.window.start == 10 && record.value == 2 {
            return Err("not the second of this window".into());
        }
        ctx.forward(record);
        Ok(())
    }
}

/// A text that must not be "bad" when it is written, nor "rotten" when it is read.
#[derive(Debug, Clone, Copy, Default)]
struct Fussy;

impl Codec<String> for Fussy {
    fn encode_into(&self, value: &String, out: &mut Vec<u8>) -> Result<(), CodecError> {
        if value.contains("bad") {
            return Err(CodecError::Malformed { expected: "a good text", reason: value.clone() });
        }
        Utf8.encode_into(value, out)
    }

    fn decode(&self, bytes: bytes::Bytes) -> Result<String, CodecError> {
        let value: String = Utf8.decode(bytes)?;
        if value.contains("rotten") {
            return Err(CodecError::Malformed { expected: "a fresh text", reason: value });
        }
        Ok(value)
    }
}

#[test]
fn an_aggregate_that_cannot_be_encoded_is_blamed_on_its_record() -> Tested {
    let builder = StreamsBuilder::new();
    let grouped = builder.stream::<String, String>("in").group_by_key();
    let store = || Materialized::with("joined", Utf8, Fussy);
    grouped
        .reduce(store(), |one, other| one + &other)
        .to_stream()
        .drop_null_values()
        .map_values(|text| text.len() as i64)
        .to("out");
    let windowed = || Materialized::with("windowed", Utf8, Fussy);
    let windows = grouped.windowed_by(seconds()).emit(EmitStrategy::on_window_close());
    windows
        .reduce(windowed(), |one, other| one + &other)
        .to_stream()
        .drop_null_values()
        .map_values(|text| text.len() as i64)
        .to("final");
    let driver = driver(&builder, RecordHandler::DeadLetter("dead".into()));
    pipe(
        &driver,
        &[("b", "1", 1), ("a", "12", 2), ("a", "bad", 3), ("c", "123", 4), ("a", "3", 5), ("d", "x", 5_000)],
    )?;
    assert_eq!(driver.output::<String, String>("dead").read_values()?, ["bad"]);
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [1, 2, 3, 3, 1]);
    assert_eq!(driver.output::<Windowed<String>, i64>("final").read_values()?, [3, 1, 3]);
    Ok(())
}

#[test]
fn a_stored_row_that_does_not_decode_costs_its_own_result_alone() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream.group_by_key().windowed_by(seconds()).collect(Materialized::with("lists", Utf8, Fussy)).to("lists-out");
    let counted = stream.group_by_key().windowed_by(seconds()).emit(EmitStrategy::on_window_close());
    counted.reduce(Materialized::with("last", Utf8, Fussy), |_, last| last).to_stream().to("last-out");
    let driver = driver(&builder, RecordHandler::DeadLetter("dead".into()));
    pipe(&driver, &[("a", "1", 1), ("b", "rotten", 2), ("c", "3", 3), ("a", "4", 1_000), ("a", "5", 2_000)])?;
    let lists = driver.output::<Windowed<String>, Vec<String>>("lists-out").read_values()?;
    assert_eq!(lists, [["1"], ["3"], ["4"]]);
    assert_eq!(driver.output::<Windowed<String>, String>("last-out").read_values()?, ["1", "3", "4"]);
    assert_eq!(driver.output::<String, String>("dead").read_values()?, [""; 0], "no record is to blame");
    let dropped = driver.status()?.tasks[0].records_dropped.clone();
    assert_eq!(dropped.iter().map(|(_, _, count)| count).sum::<u64>(), 2, "{dropped:?}");
    Ok(())
}

/// Counts in a store; its punctuation refuses to go on at every second call, after it has written and sent something.
struct Ticking {
    counts: Option<KeyValueStore<String, i64>>,
}

impl Processor<String, String, String, i64> for Ticking {
    fn init(&mut self, ctx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
        self.counts = Some(ctx.key_value_store("ticks")?);
        ctx.schedule(Duration::from_millis(10), PunctuationType::StreamTime);
        Ok(())
    }

    fn process(
        &mut self,
        _ctx: &mut ProcessorContext<'_, String, i64>,
        _record: Record<String, String>,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        _punctuation: Punctuation,
        time_ms: i64,
    ) -> Result<(), BoxError> {
        let counts = self.counts.as_ref().ok_or("not initialised")?;
        let count = counts.get(&"ticks".to_owned())?.unwrap_or(0) + 1;
        counts.put(&"ticks".to_owned(), &count, time_ms)?;
        ctx.forward(Record::new("ticks".into(), count, time_ms));
        if time_ms % 20 == 0 { Err("not at this time".into()) } else { Ok(()) }
    }
}

#[test]
fn a_punctuation_that_fails_goes_by_the_handler_of_records_and_leaves_nothing() -> Tested {
    let builder = StreamsBuilder::new();
    let ticks = builder.add_key_value_store::<String, i64>("ticks");
    let supplier = || Ticking { counts: None };
    builder.stream::<String, String>("in").process("ticking", &[&ticks], supplier).to("out");
    let driver = skipping(&builder);
    pipe(&driver, &[("a", "x", 10), ("a", "x", 20), ("a", "x", 30), ("a", "x", 40), ("a", "x", 50)])?;
    assert_eq!(
        driver.output::<String, i64>("out").read()?,
        [("ticks".to_owned(), 1, 10), ("ticks".to_owned(), 2, 30), ("ticks".to_owned(), 3, 50)]
    );
    Ok(())
}

#[test]
fn a_refused_record_moves_the_time_neither_of_its_task_nor_of_its_partition() -> Tested {
    let builder = StreamsBuilder::new();
    refuse(&builder.stream("in"));
    let driver = skipping(&builder);
    let time = |driver: &TopologyTestDriver| Tested::Ok(driver.status()?.tasks[0].stream_time_ms);
    pipe(&driver, &[("a", "good", 1_000), ("a", "bad", 9_000)])?;
    assert_eq!(time(&driver)?, 1_000);
    driver.crash();
    assert_eq!(time(&driver)?, 1_000, "as it was committed");
    Ok(())
}

/// Every operator with state, and at the end, in the middle or at the beginning one that refuses.
fn everything(builder: &StreamsBuilder, refuses: usize) {
    let stream = builder.stream::<String, String>("in");
    let hopping = TimeWindows::of_size_and_grace(Duration::from_millis(100), Duration::from_millis(30));
    let hopping = hopping.advance_by(Duration::from_millis(40));
    let by_key = hopping.event_time_by_key();
    let close = EmitStrategy::on_window_close();
    let steps: Vec<Step> = vec![
        Box::new(|stream| stream.group_by_key().count("counts").to_stream().to("counts-out")),
        Box::new(move |stream| {
            let mut windows = stream.group_by_key().windowed_by(hopping).emit(close);
            windows.late_records().to("late");
            windows.count("closed").to_stream().to("closed-out");
        }),
        Box::new(move |stream| {
            stream.group_by_key().windowed_by(by_key).count("updated").to_stream().to("updated-out");
        }),
        Box::new(move |stream| stream.group_by_key().windowed_by(hopping).collect("lists").to("lists-out")),
        Box::new(move |stream| stream.group_by_key().windowed_by(by_key).collect("own-lists").to("own-lists-out")),
        Box::new(move |stream| {
            let windows =
                JoinWindows::of_time_difference_and_grace(Duration::from_millis(50), Duration::from_millis(20));
            let pair = |_: &String, left: Option<&String>, right: Option<&String>| format!("{left:?}+{right:?}");
            let (left, right) =
                (stream.filter(|_, text| text.len() % 2 == 0), stream.filter(|_, text| text.len() % 2 == 1));
            left.outer_join_stream(&right, windows, "pairs", pair).to("pairs-out");
            left.outer_join_stream(&right, windows.event_time_by_key(), "own-pairs", pair).to("own-pairs-out");
        }),
    ];
    for (at, step) in steps.iter().enumerate() {
        if at == refuses % (steps.len() + 1) {
            refuse(&stream);
        }
        step(&stream);
    }
    if refuses % (steps.len() + 1) == steps.len() {
        refuse(&stream);
    }
}

const OUTPUTS: [&str; 8] =
    ["counts-out", "late", "closed-out", "updated-out", "lists-out", "own-lists-out", "pairs-out", "own-pairs-out"];

/// What is in each output topic.
fn run(records: &[(u8, u8, i64, bool)], refuses: usize, crash_each: usize) -> Vec<Vec<Output>> {
    let builder = StreamsBuilder::new();
    everything(&builder, refuses);
    let driver = skipping(&builder);
    let input = driver.input::<String, String>("in");
    for (number, (key, len, time, bad)) in records.iter().enumerate() {
        let value = if *bad { format!("bad{}", "x".repeat(usize::from(*len))) } else { "x".repeat(usize::from(*len)) };
        input.enqueue(format!("key-{key}"), value, *time).expect("sends");
        if number % crash_each == 0 {
            driver.status().expect("works");
            driver.crash();
        }
    }
    driver.status().expect("works");
    let bytes = |bytes: Option<bytes::Bytes>| bytes.map(|bytes| bytes.to_vec());
    let read = |topic: &str| {
        let records = driver.log().read_all(topic).expect("the topic exists").into_iter();
        records.map(|(_, record)| (bytes(record.key), bytes(record.value), record.timestamp)).collect()
    };
    OUTPUTS.iter().map(|topic| read(topic)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn results_are_those_of_an_input_without_what_is_left_out(
        records in prop::collection::vec((0_u8..3, 1_u8..5, 0_i64..300, prop::bool::weighted(0.3)), 1..60),
        refuses in 0_usize..7,
        crash_each in 3_usize..80,
    ) {
        let records: Vec<_> =
            records.into_iter().enumerate().map(|(at, (key, len, time, bad))| (key, len, time + at as i64 * 8, bad)).collect();
        let good: Vec<_> = records.iter().copied().filter(|(.., bad)| !bad).collect();
        let found = run(&records, refuses, crash_each);
        let expected = run(&good, refuses, usize::MAX);
        for (topic, (found, expected)) in OUTPUTS.iter().zip(found.into_iter().zip(expected)) {
            prop_assert_eq!(found, expected, "{}", topic);
        }
    }
}
