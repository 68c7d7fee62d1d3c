//! Silence above a repartition topic is silence below it, and nothing else is.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, records, windowed};
use tidemill::{
    AsyncCall, EmitStrategy, JoinWindows, KStream, ProcessingGuarantee, RecordHandler, StreamsBuilder, StreamsConfig,
    TaskFailureAction, TimeWindows, Windowed,
    testing::{DriverOptions, TopologyTestDriver},
};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Counts in windows of a second, closed after 300 ms of silence.
fn count(stream: &KStream<String, String>, name: &str) -> KStream<Windowed<String>, i64> {
    let windows = TimeWindows::of_size_with_no_grace(MS(1_000));
    let emit = EmitStrategy::on_window_close().idle_after(MS(300));
    stream.group_by_key().windowed_by(windows).emit(emit).count(name).to_stream().drop_null_values()
}

fn start(builder: &StreamsBuilder, options: DriverOptions) -> Tested<TopologyTestDriver> {
    Ok(TopologyTestDriver::with(&builder.build()?, options)?)
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// The topic that `again` repartitions through, as `(with a value, without one)`.
fn transit(driver: &TopologyTestDriver) -> Tested<(usize, usize)> {
    let all = driver.log().read_all("test-again-repartition")?;
    let data = all.iter().filter(|(_, record)| record.value.is_some()).count();
    Ok((data, all.len() - data))
}

#[test]
fn windows_below_a_repartition_close_when_all_tasks_above_are_silent() -> Tested {
    for guarantee in [ProcessingGuarantee::ExactlyOnce, ProcessingGuarantee::AtLeastOnce] {
        let builder = StreamsBuilder::new();
        let stream = builder.stream::<String, String>("in").select_key(|_, value| value.clone());
        count(&stream.repartition("again"), "counts").to("out");
        let config = StreamsConfig { processing_guarantee: guarantee, ..StreamsConfig::new("test") };
        // As many partitions above as below would hide what is taken for the other.
        let partitions = BTreeMap::from([("in".to_owned(), 3), ("out".to_owned(), 1)]);
        let options = DriverOptions { config, partitions, ..DriverOptions::default() };
        let driver = start(&builder, options)?;
        let (input, output) = (driver.input("in"), driver.output::<Windowed<String>, i64>("out"));
        input.pipe_all([("a", "x", 10), ("b", "x", 20), ("c", "y", 30)].map(|(k, v, at)| (text(k), text(v), at)))?;
        driver.advance_wall_clock(MS(900))?;
        assert_eq!(output.read()?, []);
        driver.advance_wall_clock(MS(200))?;
        let closed = [(windowed("x", 0, 1_000), 2, 20), (windowed("y", 0, 1_000), 1, 30)];
        let mut found = output.read()?;
        found.sort_by_key(|(key, ..)| key.clone());
        assert_eq!(found, closed, "{guarantee:?}");
    }
    Ok(())
}

#[test]
fn an_application_that_is_silent_for_long_commits_nothing() -> Tested {
    let builder = StreamsBuilder::new();
    count(&builder.stream("in").repartition("again"), "counts").to("out");
    let driver = start(&builder, DriverOptions::default().partitions(2))?;
    let output = driver.output::<Windowed<String>, i64>("out");
    driver.input("in").pipe(text("a"), text("x"), 10)?;
    for _ in 0..100 {
        driver.advance_wall_clock(MS(100))?;
    }
    assert_eq!(output.read()?.len(), 1);
    let commits = driver.status()?.commits;
    for _ in 0..1_000 {
        driver.advance_wall_clock(MS(100))?;
    }
    assert_eq!(driver.status()?.commits, commits);

    // Time goes on from there with the next silence.
    driver.input("in").pipe(text("a"), text("x"), 110_000)?;
    driver.advance_wall_clock(MS(1_500))?;
    assert_eq!(output.read()?, [(windowed("a", 110_000, 111_000), 1, 110_000)]);
    Ok(())
}

#[test]
fn windows_below_two_repartitions_close_one_after_the_other() -> Tested {
    let builder = StreamsBuilder::new();
    let counts = count(&builder.stream("in").repartition("again"), "counts");
    let renamed = counts.map(|key, count| (key.key, count.to_string()));
    count(&renamed.repartition("once-more"), "counts-of-counts").to("out");
    let driver = start(&builder, DriverOptions::default().partitions(2))?;
    driver.input("in").pipe_all((0..6).map(|number| (text("a"), text("x"), number * 400)))?;
    let output = driver.output::<Windowed<String>, i64>("out");
    let mut found = Vec::new();
    for _ in 0..100 {
        driver.advance_wall_clock(MS(50))?;
        found.extend(output.read()?);
    }
    let [zero, one, two] = [0, 1_000, 2_000].map(|start| windowed("a", start, start + 1_000));
    assert_eq!(found, [(zero, 1, 800), (one, 1, 1_600), (two, 1, 2_000)]);
    Ok(())
}

#[test]
fn a_task_that_has_stopped_keeps_what_is_below_it_open() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in").map_values(|value| {
        assert!(value != "bad", "it cannot be processed");
        value
    });
    count(&stream.repartition("again"), "counts").to("out");
    let on_task_failure = TaskFailureAction::StopTask;
    let config = StreamsConfig { on_task_failure, ..StreamsConfig::new("test") };
    let driver = start(&builder, DriverOptions { config, ..DriverOptions::default() }.partitions(2))?;
    // "a" and "b" are in different partitions.
    let input = driver.input("in");
    input.pipe(text("a"), text("x"), 10)?;
    input.pipe(text("b"), text("bad"), 20)?;
    driver.advance_wall_clock(MS(5_000))?;
    assert_eq!(driver.output::<Windowed<String>, i64>("out").read()?, [], "more may come of its records");
    Ok(())
}

#[test]
fn silence_is_known_after_a_restart() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in").select_key(|_, value| value.clone());
    count(&stream.repartition("again"), "counts").to("out");
    let driver = start(&builder, DriverOptions::default().partitions(3))?;
    driver.input("in").pipe(text("a"), text("x"), 10)?;
    let output = driver.output::<Windowed<String>, i64>("out");
    let mut found = Vec::new();
    // Each life counts anew, and the last one is long enough.
    for silence in [400, 400, 1_100, 0] {
        driver.advance_wall_clock(MS(silence))?;
        found.extend(output.read()?);
        driver.crash();
    }
    assert_eq!(found, [(windowed("x", 0, 1_000), 1, 10)]);
    Ok(())
}

#[test]
fn nobody_sees_the_notes() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in").repartition("again");
    count(&stream, "counts").to("out");
    stream.to("seen");
    let handler = RecordHandler::DeadLetter("dead".to_owned());
    let config = StreamsConfig {
        deserialization_handler: handler.clone(),
        processing_handler: handler,
        ..StreamsConfig::new("test")
    };
    let driver = start(&builder, DriverOptions { config, ..DriverOptions::default() })?;
    driver.input("in").pipe(text("a"), text("x"), 10)?;
    driver.advance_wall_clock(MS(10_000))?;
    driver.input("in").pipe(text("a"), text("y"), 10_010)?;
    let (data, notes) = transit(&driver)?;
    assert_eq!(data, 2);
    assert!(notes > 0);
    assert_eq!(driver.output::<String, String>("seen").read_values()?, ["x", "y"]);
    assert_eq!(records::<String, String>(driver.log(), "dead"), []);
    let tasks = driver.status()?.tasks;
    assert!(tasks.iter().all(|task| task.records_dropped.is_empty()), "{tasks:?}");
    let processed: Vec<_> = tasks.iter().map(|task| task.records_processed).collect();
    assert_eq!(processed, [2, 2]);
    Ok(())
}

#[test]
fn where_nothing_waits_for_silence_there_are_no_notes() -> Tested {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_with_no_grace(MS(1_000));
    let grouped = builder.stream::<String, String>("in").repartition("again").group_by_key();
    grouped.windowed_by(windows).emit(EmitStrategy::on_window_close()).count("counts").to_stream().to("out");
    let driver = start(&builder, DriverOptions::default())?;
    driver.input("in").pipe(text("a"), text("x"), 10)?;
    driver.advance_wall_clock(MS(10_000))?;
    assert_eq!(transit(&driver)?, (1, 0));
    Ok(())
}

#[test]
fn a_join_with_a_stream_that_is_read_directly_waits_for_both() -> Tested {
    let builder = StreamsBuilder::new();
    let left = builder.stream::<String, String>("in").repartition("again");
    let right = builder.stream::<String, String>("right");
    let windows = JoinWindows::of_time_difference_with_no_grace(MS(1_000)).idle_after(MS(300));
    let join =
        |_: &String, left: &String, right: Option<&String>| format!("{left}+{}", right.map_or("", String::as_str));
    left.left_join_stream(&right, windows, "join", join).to("out");
    let driver = start(&builder, DriverOptions::default())?;
    let output = driver.output::<String, String>("out");
    driver.input("in").pipe(text("a"), text("x"), 10)?;
    // The right side is not silent: time does not go on by itself.
    for number in 0..20 {
        driver.advance_wall_clock(MS(200))?;
        driver.input("right").pipe(text("b"), text("y"), number)?;
    }
    assert_eq!(output.read_values()?, [""; 0]);
    for _ in 0..20 {
        driver.advance_wall_clock(MS(100))?;
    }
    assert_eq!(output.read_values()?, ["x+"]);
    Ok(())
}

#[test]
fn a_stream_that_meets_itself_after_a_repartition_closes_its_windows() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    let windows = JoinWindows::of_time_difference_with_no_grace(MS(1_000)).idle_after(MS(300));
    let join =
        |_: &String, left: &String, right: Option<&String>| format!("{left}+{}", right.map_or("", String::as_str));
    let again = stream.filter(|_, value| value == "y").repartition("again");
    stream.left_join_stream(&again, windows, "join", join).to("out");
    let driver = start(&builder, DriverOptions::default())?;
    driver.input("in").pipe(text("a"), text("x"), 10)?;
    for _ in 0..30 {
        driver.advance_wall_clock(MS(100))?;
    }
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["x+"]);
    Ok(())
}

#[test]
fn an_answer_that_does_not_come_keeps_no_window_open() -> Tested {
    let builder = StreamsBuilder::new();
    let call = AsyncCall::<String, String, i64>::named("grade");
    let stream = builder.stream::<String, String>("in");
    let graded = stream.map_async(&call).map_values(|answered| answered.request);
    count(&stream.merge(&graded).repartition("again"), "counts").to("out");
    let driver = start(&builder, DriverOptions::default())?;
    driver.input("in").pipe(text("a"), text("x"), 10)?;
    driver.advance_wall_clock(MS(2_000))?;
    let output = driver.output::<Windowed<String>, i64>("out");
    assert_eq!(output.read()?, [(windowed("a", 0, 1_000), 1, 10)]);
    Ok(())
}
