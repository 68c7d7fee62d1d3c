//! Sliding windows: which windows there are, what they hold, when they close, and what survives a crash.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, driver, windowed};
use tidemill::{
    BufferConfig, Consumed, EmitStrategy, Erased, Materialized, Produced, RecordHandler, SlidingWindows,
    StreamsBuilder, StreamsConfig, Suppressed, TimeWindowedCodec, Windowed, partition_for,
    processor::{Processor, ProcessorContext, Record},
    state::{BigEndian, BoxError, Coded, Utf8},
    testing::{DriverOptions, TopologyTestDriver},
};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Windows of 10 ms.
fn windows(grace: u64) -> SlidingWindows {
    SlidingWindows::of_time_difference_and_grace(ms(10), ms(grace))
}

/// Values of each window, joined in the order of their arrival.
fn joining(windows: SlidingWindows, emit: EmitStrategy) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let mut stream = builder.stream::<String, String>("in").group_by_key().windowed_by(windows).emit(emit);
    stream.late_records().to("late");
    stream.aggregate("joined", String::new, |_, value, all: &mut String| all.push_str(&value)).to_stream().to("out");
    builder
        .stream::<String, ()>("forget")
        .erase("forgets", &["joined"])
        .map_values(|it: Erased<()>| it.rows as i64)
        .to("forgotten");
    builder
}

fn pipe(driver: &TopologyTestDriver, records: &[(&str, &str, i64)]) -> Tested {
    let input = driver.input::<String, String>("in");
    records.iter().try_for_each(|(key, value, at)| input.pipe((*key).to_owned(), (*value).to_owned(), *at))?;
    Ok(())
}

/// A result: key, start, end, value, time.
type Found = (String, i64, i64, String, i64);

/// Reads what came out since the last time.
fn out(driver: &TopologyTestDriver) -> impl Fn() -> Tested<Vec<Found>> + use<> {
    let topic = driver.output::<Windowed<String>, String>("out");
    move || {
        let records = topic.read()?.into_iter();
        Ok(records.map(|(at, value, time)| (at.key, at.window.start, at.window.end, value, time)).collect())
    }
}

fn row(key: &str, start: i64, value: &str, time: i64) -> Found {
    (key.to_owned(), start, start + 10, value.to_owned(), time)
}

fn dropped(driver: &TopologyTestDriver) -> Tested<u64> {
    let dropped = driver.status()?.tasks[0].records_dropped.clone();
    Ok(dropped.iter().filter(|(_, why, _)| *why == "late").map(|(.., count)| *count).sum())
}

#[test]
fn a_window_ends_with_each_record_and_one_begins_behind_it() -> Tested {
    let driver = driver(&joining(windows(0), EmitStrategy::on_window_update()));
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 100), ("k", "b", 105), ("k", "c", 110)])?;
    let expect = [
        row("k", 90, "a", 100),
        row("k", 101, "b", 105),
        row("k", 95, "ab", 105),
        // The window behind a, from before.
        row("k", 101, "bc", 110),
        row("k", 106, "c", 110),
        row("k", 100, "abc", 110),
    ];
    assert_eq!(out()?, expect);
    Ok(())
}

#[test]
fn a_record_between_others_joins_their_windows_and_opens_those_of_its_own() -> Tested {
    let driver = driver(&joining(windows(100), EmitStrategy::on_window_update()));
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 100), ("k", "c", 108), ("x", "other", 104)])?;
    assert_eq!(out()?.len(), 4);
    pipe(&driver, &[("k", "b", 104)])?;
    let expect = [row("k", 101, "cb", 108), row("k", 98, "acb", 108), row("k", 94, "ab", 104), row("k", 105, "c", 108)];
    assert_eq!(out()?, expect);
    Ok(())
}

#[test]
fn records_that_are_earlier_than_the_difference_share_the_first_window() -> Tested {
    let driver = driver(&joining(windows(100), EmitStrategy::on_window_update()));
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 0), ("k", "b", 6), ("k", "c", 10), ("k", "d", 3)])?;
    let expect = [
        row("k", 0, "a", 0),
        row("k", 1, "b", 6),
        row("k", 0, "ab", 6),
        row("k", 1, "bc", 10),
        row("k", 0, "abc", 10),
        row("k", 7, "c", 10),
        row("k", 1, "bcd", 10),
        row("k", 4, "bc", 10),
        row("k", 0, "abcd", 10),
    ];
    let mut found = out()?;
    assert_eq!(found.len(), expect.len());
    found.sort();
    let mut expect = expect.to_vec();
    expect.sort();
    assert_eq!(found, expect);
    Ok(())
}

#[test]
fn records_of_the_same_time_are_in_the_same_windows() -> Tested {
    let driver = driver(&joining(windows(0), EmitStrategy::on_window_update()));
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 100), ("k", "b", 105), ("k", "c", 105), ("k", "d", 105)])?;
    let last: BTreeMap<_, _> = out()?.into_iter().map(|(_, start, _, value, _)| (start, value)).collect();
    let expect = [(90, "a"), (95, "abcd"), (101, "bcd")].map(|(start, value)| (start, value.to_owned()));
    assert_eq!(last, expect.into());
    Ok(())
}

#[test]
fn a_window_accepts_records_until_time_has_passed_its_end_and_grace() -> Tested {
    let driver = driver(&joining(windows(5), EmitStrategy::on_window_update()));
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 100), ("x", "x", 105), ("k", "b", 100)])?;
    assert_eq!(out()?.last(), Some(&row("k", 90, "ab", 100)), "stream time is end and grace");
    pipe(&driver, &[("x", "x", 106), ("k", "c", 100)])?;
    assert_eq!(dropped(&driver)?, 1);
    assert_eq!(driver.output::<String, String>("late").read()?, [("k".into(), "c".into(), 100)], "in no window at all");
    Ok(())
}

#[test]
fn a_record_is_late_for_some_windows_and_not_for_others() -> Tested {
    let driver = driver(&joining(windows(0), EmitStrategy::on_window_update()));
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 100), ("k", "b", 95)])?;
    // The window that ends with b has closed. The one that ends with a has not, nor has the one behind b.
    assert_eq!(out()?, [row("k", 90, "a", 100), row("k", 90, "ab", 100), row("k", 96, "a", 100)]);
    assert_eq!(dropped(&driver)?, 1);
    assert_eq!(driver.output::<String, String>("late").read()?, []);
    // The difference is 10: what is older by more is in no window.
    pipe(&driver, &[("k", "c", 90), ("k", "d", 89)])?;
    assert_eq!(out()?, [row("k", 90, "abc", 100), row("k", 91, "ab", 100)]);
    assert_eq!(driver.output::<String, String>("late").read()?, [("k".into(), "d".into(), 89)]);
    Ok(())
}

#[test]
fn final_results_come_once_when_time_has_passed_their_windows() -> Tested {
    let driver = driver(&joining(windows(2), EmitStrategy::on_window_close()));
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 100), ("l", "x", 101), ("k", "b", 102)])?;
    assert_eq!(out()?, []);
    pipe(&driver, &[("k", "c", 103)])?;
    assert_eq!(out()?, [row("k", 90, "a", 100)]);
    driver.crash();
    pipe(&driver, &[("z", "z", 200)])?;
    let expect = [
        row("l", 91, "x", 101),
        row("k", 92, "ab", 102),
        row("k", 93, "abc", 103),
        row("k", 101, "bc", 103),
        row("k", 103, "c", 103),
    ];
    assert_eq!(out()?, expect);
    pipe(&driver, &[("z", "z", 300)])?;
    assert_eq!(out()?, [row("z", 190, "z", 200)]);
    Ok(())
}

#[test]
fn more_windows_than_are_read_at_once_close_in_order() -> Tested {
    let driver = driver(&joining(windows(0), EmitStrategy::on_window_close()));
    let out = out(&driver);
    let input = driver.input::<String, String>("in");
    for number in 0..2_500 {
        input.enqueue(format!("{number:05}"), "v".into(), 100)?;
    }
    pipe(&driver, &[("z", "z", 1_000)])?;
    let found = out()?;
    assert_eq!(found.len(), 2_500);
    assert!(found.is_sorted());
    Ok(())
}

#[test]
fn a_silent_input_closes_its_windows() -> Tested {
    let emit = EmitStrategy::on_window_close().idle_after(Duration::from_secs(1));
    let driver = driver(&joining(windows(0), emit));
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 100), ("k", "b", 104)])?;
    driver.advance_wall_clock(ms(999))?;
    assert_eq!(out()?, [row("k", 90, "a", 100)]);
    driver.advance_wall_clock(ms(1))?;
    assert_eq!(out()?, [row("k", 94, "ab", 104), row("k", 101, "b", 104)]);
    Ok(())
}

#[test]
fn a_restart_goes_on_with_the_windows_there_are() -> Tested {
    let builder = || joining(windows(20), EmitStrategy::on_window_update());
    let records = [("k", "a", 100), ("l", "x", 101), ("k", "b", 108), ("k", "c", 103), ("k", "d", 2), ("l", "y", 111)];
    let (straight, crashing) = (driver(&builder()), driver(&builder()));
    pipe(&straight, &records)?;
    for record in records {
        pipe(&crashing, &[record])?;
        crashing.crash();
    }
    assert_eq!(out(&crashing)()?, out(&straight)()?);
    Ok(())
}

#[test]
fn late_records_stay_late_after_a_restart() -> Tested {
    let driver = driver(&joining(windows(0), EmitStrategy::on_window_update()));
    pipe(&driver, &[("k", "a", 100)])?;
    driver.crash();
    pipe(&driver, &[("k", "b", 80)])?;
    assert_eq!(dropped(&driver)?, 1);
    Ok(())
}

#[test]
fn an_erased_key_leaves_no_window_and_begins_anew() -> Tested {
    let driver = driver(&joining(windows(100), EmitStrategy::on_window_update()));
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 100), ("l", "x", 101), ("k", "b", 105)])?;
    driver.input::<String, ()>("forget").pipe("k".into(), (), 105)?;
    assert_eq!(driver.output::<String, i64>("forgotten").read_values()?, [3]);
    let store = driver.window_store::<String, String>("joined", 0)?.ok_or("it is there")?;
    assert_eq!(store.all().read_all()?, [(("l".to_owned(), 91), "x".to_owned())]);
    out()?;
    pipe(&driver, &[("k", "c", 105)])?;
    assert_eq!(out()?, [row("k", 95, "c", 105)]);
    Ok(())
}

#[test]
fn records_without_a_key_are_dropped() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<Option<String>, i64>("in").group_by_key().windowed_by(windows(0));
    stream.count("counts").to_stream().to("out");
    let driver = driver(&builder);
    driver.input::<Option<String>, i64>("in").pipe_all([(None, 1, 500), (Some("a".into()), 1, 100)])?;
    assert_eq!(driver.output::<Windowed<Option<String>>, i64>("out").read_values()?, [1], "nor did it move time");
    assert_eq!(driver.status()?.tasks[0].records_dropped, [("counts".to_owned(), "null-key", 1)]);
    Ok(())
}

#[test]
fn a_store_must_keep_windows_for_twice_the_difference() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows(5));
    stream.count(Materialized::<String, i64>::named("counts").retention(ms(24)));
    let error = builder.build().expect_err("it must not build").to_string();
    assert!(error.contains("twice the time difference and grace need 25 ms"), "{error}");
}

/// Refuses windows with a certain value, and passes others on.
struct Refuses(&'static str);

impl Processor<Windowed<String>, String, Windowed<String>, String> for Refuses {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, String>,
        record: Record<Windowed<String>, String>,
    ) -> Result<(), BoxError> {
        if record.value == self.0 {
            return Err("refused".into());
        }
        ctx.forward(record);
        Ok(())
    }
}

#[test]
fn a_record_that_is_refused_leaves_every_window_as_it_was() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in").group_by_key().windowed_by(windows(50));
    stream
        .reduce("joined", |one, other| one + &other)
        .to_stream()
        .drop_null_values()
        .process::<Windowed<String>, String, _>("refuses", &[], || Refuses("abx"))
        .to("out");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 100), ("k", "b", 104)])?;
    let before = out()?;
    assert_eq!(before.len(), 3);
    pipe(&driver, &[("k", "x", 106)])?;
    assert_eq!(out()?, [], "the windows that it had reached first are undone");
    pipe(&driver, &[("k", "c", 106)])?;
    let expect = [row("k", 101, "bc", 106), row("k", 105, "c", 106), row("k", 96, "abc", 106)];
    assert_eq!(out()?, expect);
    Ok(())
}

#[test]
fn each_key_may_have_a_time_of_its_own() -> Tested {
    let emit = EmitStrategy::on_window_close();
    let driver = driver(&joining(windows(0).event_time_by_key(), emit));
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 100), ("far", "x", 9_000), ("k", "b", 105)])?;
    assert_eq!(out()?, [row("k", 90, "a", 100)]);
    driver.crash();
    pipe(&driver, &[("k", "c", 95), ("k", "d", 120)])?;
    assert_eq!(out()?, [row("k", 95, "abc", 105), row("k", 96, "ab", 105), row("k", 101, "b", 105)]);
    let store = driver.window_store::<String, String>("joined", 0)?.ok_or("it is there")?;
    pipe(&driver, &[("k", "e", 500)])?;
    assert_eq!(store.fetch(&"k".into(), 0, 400).read_all()?, [], "expired by the key's own time");
    Ok(())
}

/// Writes to the store of an aggregate from outside.
struct Plants;

impl Processor<String, i64, String, i64> for Plants {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        let counts = ctx.window_store::<String, i64>("counts")?;
        counts.put(&record.key, record.value, &40, record.value + 10)?;
        Ok(())
    }
}

#[test]
fn windows_that_a_processor_writes_are_met_too() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in");
    stream.group_by_key().windowed_by(windows(0)).count("counts").to_stream().to("out");
    builder.stream::<String, i64>("plant").process::<String, i64, _>("plants", &["counts"], || Plants).to("none");
    let driver = driver(&builder);
    driver.input::<String, i64>("plant").pipe("k".into(), 95, 100)?;
    driver.input::<String, i64>("in").pipe("k".into(), 1, 100)?;
    let counts = driver.output::<Windowed<String>, i64>("out").read()?;
    assert!(counts.contains(&(windowed("k", 95, 105), 41, 105)), "{counts:?}");
    Ok(())
}

#[test]
fn tables_of_sliding_windows_can_be_grouped() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows(100));
    let counts = stream.count("counts");
    counts
        .group_by("by-key", |at, count| (at.key.clone(), count))
        .aggregate("sums", || 0_i64, |_, count, sum: &mut i64| *sum += count, |_, count, sum| *sum -= count)
        .to_stream()
        .to("sums-out");
    let driver = driver(&builder);
    let records = [100, 104, 108, 102].map(|at| ("k".to_owned(), 1, at));
    driver.input::<String, i64>("in").pipe_all(records)?;
    let store = driver.window_store::<String, i64>("counts", 0)?.ok_or("it is there")?;
    let all: i64 = store.all().read_all()?.iter().map(|(_, count)| count).sum();
    assert_eq!(driver.output::<String, i64>("sums-out").read_values()?.last(), Some(&all));
    Ok(())
}

#[test]
fn a_window_that_is_behind_one_record_and_ends_with_the_next_counts_once_in_a_group() -> Tested {
    let builder = StreamsBuilder::new();
    let counts = builder.stream::<String, i64>("in").group_by_key().windowed_by(windows(100)).count("counts");
    let all = counts.group_by("all", |_, count| ("all".to_owned(), count));
    all.reduce("sum", |sum, count| sum + count, |sum, count| sum - count).to_stream().to("sums");
    counts.to_stream().to("out");
    let driver = driver(&builder);
    driver.input::<String, i64>("in").pipe_all([96, 100, 111].map(|at| ("k".to_owned(), 1, at)))?;
    // As in Kafka Streams, the window comes out twice.
    let results = driver.output::<Windowed<String>, i64>("out").read()?;
    let result = |start, count, at| (windowed("k", start, start + 10), count, at);
    let of_100 = [result(97, 1, 100), result(90, 2, 100)];
    assert_eq!(results, [&[result(86, 1, 96)], &of_100[..], &[result(101, 1, 111), result(101, 1, 111)]].concat());
    assert_eq!(driver.output::<String, i64>("sums").read_values()?.last(), Some(&(1 + 1 + 2 + 1)));
    Ok(())
}

#[test]
fn a_suppressed_table_gives_the_last_result_of_each_window_once() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in").group_by_key().windowed_by(windows(5));
    let joined = stream.reduce("joined", |one, other| one + &other);
    let held = Suppressed::until_window_closes(BufferConfig::unbounded());
    joined.suppress("held", held).to_stream().to("out");
    let driver = driver(&builder);
    let out = out(&driver);
    pipe(&driver, &[("k", "a", 100), ("z", "z", 105)])?;
    assert_eq!(out()?, [], "stream time is end and grace, so that a record may still come");
    pipe(&driver, &[("k", "b", 100), ("z", "z", 106)])?;
    assert_eq!(out()?, [row("k", 90, "ab", 100)]);
    Ok(())
}

#[test]
fn topics_have_the_bytes_of_javas_windowed_keys_if_they_are_asked_for() -> Tested {
    let codec = || TimeWindowedCodec::new(Utf8, ms(10));
    let builder = StreamsBuilder::new();
    let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(windows(0)).count("counts");
    counts.to_stream().to(Produced::with("counted", codec(), <Option<i64> as Coded>::Codec::default()));
    let counted = builder.stream(Consumed::<Windowed<String>, i64>::with("counted", codec(), BigEndian));
    counted.map(|at, count| (at.key, format!("{}..{} {count}", at.window.start, at.window.end))).to("texts");
    let partitions = BTreeMap::from([("counted".to_owned(), 7)]);
    let options = DriverOptions { partitions, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&builder.build()?, options)?;
    pipe(&driver, &[("ann", "a", 0x1_0010)])?;
    let written = driver.log().read_all("counted")?;
    assert_eq!(written.len(), 1);
    let (partition, record) = &written[0];
    assert_eq!(record.key.as_deref(), Some(&b"ann\0\0\0\0\0\x01\0\x06"[..]));
    assert_eq!(*partition, partition_for(Some(b"ann"), 7), "as the key without its window");
    assert_eq!(driver.output::<String, String>("texts").read_values()?, ["65542..65552 1"]);
    Ok(())
}
