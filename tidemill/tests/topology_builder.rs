//! Topologies that are built by hand, alone and mixed with the DSL.

mod common;

use std::collections::BTreeMap;

use common::{Tested, is_drained, records, wait_until};
use tidemill::{
    Materialized, NodeHandle, Plan, Produced, StoreBuilder, Streams, StreamsBuilder, StreamsConfig, TopologyBuilder,
    processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord, Processor, ProcessorContext, Record},
    state::{BigEndian, BoxError, Utf8},
    testing::TopologyTestDriver,
    transport::embedded::{EmbeddedLog, Entry},
};

/// Counts the words of each line by word, in two stores.
struct Words;

impl Processor<String, String, String, i64> for Words {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        line: Record<String, String>,
    ) -> Result<(), BoxError> {
        let counts = ctx.key_value_store::<String, i64>("counts")?;
        let lines = ctx.key_value_store::<String, String>("lines")?;
        lines.put(&line.key, &line.value, line.timestamp)?;
        for word in line.value.split_whitespace().map(str::to_owned) {
            let count = counts.get(&word)?.unwrap_or(0) + 1;
            counts.put(&word, &count, line.timestamp)?;
            ctx.forward(Record::new(word, count, line.timestamp));
        }
        Ok(())
    }
}

/// Makes a count negative.
struct Negate;

impl FixedKeyProcessor<String, i64, i64> for Negate {
    fn process(
        &mut self,
        ctx: &mut FixedKeyProcessorContext<'_, String, i64>,
        count: FixedKeyRecord<String, i64>,
    ) -> Result<(), BoxError> {
        let negative = -count.value;
        ctx.forward(count.with_value(negative));
        Ok(())
    }
}

fn words(builder: &TopologyBuilder) -> NodeHandle<String, i64> {
    let first = builder.add_source::<String, String>("first", "lines");
    let second = builder.add_source::<String, String>("second", "more-lines");
    let counted = builder.add_processor("words", || Words, &[&first, &second]);
    let counts = Materialized::<String, i64>::named("counts").in_memory();
    builder.add_state_store(StoreBuilder::key_value(counts), &["words"]);
    builder.add_state_store(StoreBuilder::key_value::<String, String>("lines"), &[]);
    builder.connect_processor_and_state_stores("words", &["lines"]);
    counted
}

fn word_counts() -> TopologyBuilder {
    let builder = TopologyBuilder::new();
    let counted = words(&builder);
    let negated = builder.add_fixed_key_processor("negate", || Negate, &[&counted]);
    builder.add_sink("both", "out", &[&counted, &negated]);
    builder
}

#[test]
fn records_of_all_parents_go_through_a_step() -> Tested {
    let driver = TopologyTestDriver::new(&word_counts().build()?)?;
    driver.input::<String, String>("lines").pipe("a".into(), "to be or".into(), 0)?;
    driver.crash();
    driver.input::<String, String>("more-lines").pipe("b".into(), "not to".into(), 1)?;
    let out = driver.output::<String, i64>("out").read()?;
    let of = |word: &str, count: i64, time: i64| [(word.to_owned(), count, time), (word.to_owned(), -count, time)];
    let expected = [of("to", 1, 0), of("be", 1, 0), of("or", 1, 0), of("not", 1, 1), of("to", 2, 1)].concat();
    let sorted = |mut records: Vec<(String, i64, i64)>| {
        records.sort();
        records
    };
    assert_eq!(sorted(out), sorted(expected));
    let lines = driver.key_value_store::<String, String>("lines", 0)?.ok_or("it runs")?;
    assert_eq!(lines.get(&"b".into())?.as_deref(), Some("not to"));
    Ok(())
}

#[test]
fn a_description_has_the_given_names() -> Tested {
    let plan = Plan::new("app", &word_counts().build()?).resolve(|_| Some(2))?;
    let expected = "\
Application: app
Subtopology: 0 (2 tasks)
  first (source, topic: lines [2])
    --> words
  second (source, topic: more-lines [2])
    --> words
  words (process, stores: [counts, lines])
    --> negate, both
  negate (process)
    --> both
  both (sink, topic: out [2])
  store counts (key-value, in memory, changelog: app-counts-changelog)
  store lines (key-value, persistent, changelog: app-lines-changelog)
";
    assert_eq!(plan.describe(), expected);
    Ok(())
}

#[test]
fn a_topology_by_hand_runs_in_an_instance() -> Tested {
    let log = EmbeddedLog::in_memory();
    ["lines", "more-lines", "out"].into_iter().try_for_each(|topic| log.create(topic, 2))?;
    let streams = Streams::start(&word_counts().build()?, StreamsConfig::new("app"), log.clone())?;
    for (number, topic) in [(0, "lines"), (1, "more-lines")] {
        log.append(topic, number, [Entry::new("key", "word", 0)])?;
    }
    wait_until("both lines are processed", || {
        is_drained(&log, "app") && records::<String, i64>(&log, "out").len() == 4
    });
    streams.close()?;
    let mut counts = BTreeMap::<i64, usize>::new();
    for (_, _, count) in records::<String, i64>(&log, "out") {
        *counts.entry(count).or_default() += 1;
    }
    assert_eq!(counts, [(-1, 2), (1, 2)].into(), "each partition counts for itself");
    Ok(())
}

#[test]
fn the_dsl_and_steps_by_hand_are_in_one_topology() -> Tested {
    let builder = StreamsBuilder::new();
    let shouted = builder.stream::<String, String>("shouts").map_values(|line| line.to_lowercase());
    let by_hand = TopologyBuilder::from(&builder);
    let lines = by_hand.add_source::<String, String>("lines-source", "lines");
    let counted = by_hand.add_processor("words", || Words, &[&shouted.node(), &lines]);
    by_hand.add_state_store(StoreBuilder::key_value::<String, i64>("counts"), &["words"]);
    by_hand.add_state_store(StoreBuilder::key_value::<String, String>("lines"), &["words"]);
    let large = |record: &Record<String, i64>| if record.value > 1 { "often" } else { "once" };
    let topics = Produced::<String, i64>::from("once");
    by_hand.add_sink("once-sink", topics, &[&counted]);
    let both = Produced::with_topics(["once", "often"], Utf8, BigEndian);
    by_hand.add_sink_by("by-count", both, large, &[&counted]);
    let driver = TopologyTestDriver::new(&builder.build()?)?;
    driver.input::<String, String>("shouts").pipe("a".into(), "HI".into(), 0)?;
    driver.input::<String, String>("lines").pipe("b".into(), "hi".into(), 1)?;
    assert_eq!(driver.output::<String, i64>("once").read_values()?, [1, 1, 2]);
    assert_eq!(driver.output::<String, i64>("often").read_values()?, [2]);
    Ok(())
}

#[test]
fn mistakes_are_reported_together() {
    let builder = TopologyBuilder::new();
    let lines = builder.add_source::<String, String>("same", "lines");
    builder.add_source::<String, String>("same", "others");
    builder.add_processor::<String, String, _, _>("orphan", || Words, &[]);
    let other = TopologyBuilder::new().add_source::<String, String>("other", "lines");
    builder.add_processor("words", || Words, &[&lines, &other]);
    builder.connect_processor_and_state_stores("wrods", &["counts"]);
    builder.connect_processor_and_state_stores("words", &["counts"]);
    let error = builder.build().expect_err("there are mistakes");
    let expected = [
        "'orphan' has no parent: name the steps before it",
        "'orphan' has no processor: end its declaration with one",
        "'words' asks for store 'counts', which does not exist: add it to the builder",
        "no processor is named 'wrods': add it before its stores",
        "the inputs of a step belong to two builders: take both inputs from one builder",
        "two steps are named 'same': names must be unique",
    ];
    assert_eq!(error.problems(), expected);
}

#[test]
fn the_name_of_a_source_is_taken() {
    let builder = TopologyBuilder::new();
    let lines = builder.add_source::<String, i64>("lines", "in");
    let negated = builder.add_fixed_key_processor("lines", || Negate, &[&lines]);
    let more = builder.add_source::<String, i64>("more", "in");
    builder.add_sink("more", "out", &[&negated, &more]);
    let problems = builder.build().expect_err("two names are there twice");
    let expected =
        ["two steps are named 'lines': names must be unique", "two steps are named 'more': names must be unique"];
    assert_eq!(problems.problems(), expected);
}
