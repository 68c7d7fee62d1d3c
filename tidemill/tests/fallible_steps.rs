//! Steps whose functions return errors: where an error goes, and that a record that is left out leaves no trace.

mod common;

use common::Tested;
use tidemill::{
    KStream, RecordHandler, StreamsBuilder, StreamsConfig, TaskError,
    testing::{DriverOptions, TopologyTestDriver},
};

type Text = KStream<String, String>;
type Step = Box<dyn Fn(&Text)>;

fn with(builder: &StreamsBuilder, handler: RecordHandler) -> Tested<TopologyTestDriver> {
    let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?)
}

fn check(value: &str) -> Result<(), String> {
    if value.starts_with("bad") { Err(format!("'{value}' is bad")) } else { Ok(()) }
}

fn checked(value: String) -> Result<String, String> {
    check(&value).map(|()| value)
}

/// Each step without state, under its name. All of them refuse the same values, and pass others on unchanged.
fn steps() -> Vec<(&'static str, Step)> {
    let to = |stream: Text| stream.named("step").to("out");
    vec![
        ("map", Box::new(move |text: &Text| to(text.try_map(|key, value| Ok::<_, String>((key, checked(value)?)))))),
        ("map_values", Box::new(move |text: &Text| to(text.try_map_values(checked)))),
        ("with_key", Box::new(move |text: &Text| to(text.try_map_values_with_key(|_, value| checked(value))))),
        (
            "select_key",
            Box::new(move |text: &Text| to(text.try_select_key(|key, value| check(value).map(|()| key.clone())))),
        ),
        ("filter", Box::new(move |text: &Text| to(text.try_filter(|_, value| check(value).map(|()| true))))),
        ("filter_not", Box::new(move |text: &Text| to(text.try_filter_not(|_, value| check(value).map(|()| false))))),
        (
            "flat_map",
            Box::new(move |text: &Text| to(text.try_flat_map(|key, value| checked(value).map(|value| [(key, value)])))),
        ),
        (
            "flat_map_values",
            Box::new(move |text: &Text| to(text.try_flat_map_values(|value| checked(value).map(|value| [value])))),
        ),
        ("peek", Box::new(move |text: &Text| to(text.try_peek(|_, value| check(value))))),
    ]
}

#[test]
fn an_error_names_operator_task_topic_partition_and_offset() -> Tested {
    for (name, step) in steps() {
        let builder = StreamsBuilder::new();
        step(&builder.stream::<String, String>("in"));
        let driver = with(&builder, RecordHandler::Fail)?;
        let input = driver.input::<String, String>("in");
        input.pipe("a".into(), "fine".into(), 0)?;
        let error = input.pipe("a".into(), "bad".into(), 1).err().ok_or("the error surfaces")?;
        assert!(matches!(error, TaskError::Failed { .. }), "{name}: {error:?}");
        let expected = "task 0_0, operator 'step', topic 'in', partition 0, offset 1: 'bad' is bad";
        assert_eq!(error.chain(), expected, "{name}");
    }
    Ok(())
}

#[test]
fn a_record_that_a_step_refuses_leaves_no_trace() -> Tested {
    for handler in [RecordHandler::Skip, RecordHandler::DeadLetter("dead".into())] {
        for (name, step) in steps() {
            let builder = StreamsBuilder::new();
            let text = builder.stream::<String, String>("in");
            // This branch is served before the step, and is undone.
            text.group_by_key().count("counts").to_stream().to("counted");
            step(&text);
            let driver = with(&builder, handler.clone())?;
            let input = driver.input::<String, String>("in");
            input.pipe_all([
                ("a".into(), "one".into(), 0),
                ("a".into(), "bad".into(), 1),
                ("a".into(), "two".into(), 2),
            ])?;
            assert_eq!(driver.output::<String, String>("out").read_values()?, ["one", "two"], "{name}");
            assert_eq!(driver.output::<String, i64>("counted").read_values()?, [1, 2], "{name}");
            let counts = driver.key_value_store::<String, i64>("counts", 0)?.ok_or("it runs")?;
            assert_eq!(counts.get(&"a".into())?, Some(2), "{name}");
            assert_eq!(
                driver.status()?.tasks[0].records_dropped,
                [("step".to_owned(), "processing-error", 1)],
                "{name}"
            );
            if handler == RecordHandler::Skip {
                continue;
            }
            let letter = driver.output::<String, String>("dead").read_records()?.remove(0);
            assert_eq!((&letter.value[..], letter.timestamp), ("bad", 1), "{name}");
            let reason = letter.headers.last("__streams.errors.message").map(|text| &text[..]);
            assert_eq!(reason, Some(&b"'bad' is bad"[..]), "{name}");
        }
    }
    Ok(())
}

#[test]
fn a_flat_map_that_fails_passes_none_of_its_records_on() -> Tested {
    let builder = StreamsBuilder::new();
    let words = |line: String| line.split(' ').map(|word| checked(word.to_owned())).collect::<Result<Vec<_>, _>>();
    builder.stream::<String, String>("in").try_flat_map_values(words).to("out");
    let driver = with(&builder, RecordHandler::Skip)?;
    let lines = [("a".into(), "one bad".into(), 0), ("a".into(), "two three".into(), 1)];
    driver.input::<String, String>("in").pipe_all(lines)?;
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["two", "three"]);
    Ok(())
}

#[test]
fn a_join_that_fails_keeps_the_table_and_drops_the_record() -> Tested {
    let builder = StreamsBuilder::new();
    let table = builder.table::<String, String>("table", "table");
    let text = builder.stream::<String, String>("in");
    text.try_join(&table, |_, value, name| checked(value).map(|value| value + &name)).to("inner");
    text.try_left_join(&table, |_, value, name| checked(value).map(|value| value + &name.unwrap_or_default()))
        .to("left");
    let driver = with(&builder, RecordHandler::Skip)?;
    let (names, input) = (driver.input::<String, String>("table"), driver.input::<String, String>("in"));
    input.pipe_all([("a".into(), "bad".into(), 0), ("a".into(), "1".into(), 1)])?;
    names.pipe("a".into(), "ann".into(), 2)?;
    input.pipe_all([("a".into(), "bad".into(), 3), ("a".into(), "2".into(), 4)])?;
    assert_eq!(driver.output::<String, String>("inner").read_values()?, ["2ann"]);
    assert_eq!(driver.output::<String, String>("left").read_values()?, ["1", "2ann"]);
    // An inner join does not ask its function about a record without a match: only the left join refused the first.
    let dropped: u64 = driver.status()?.tasks[0].records_dropped.iter().map(|(_, _, count)| count).sum();
    assert_eq!(dropped, 2);
    Ok(())
}
