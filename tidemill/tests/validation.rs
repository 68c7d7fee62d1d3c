//! Everything that is wrong is reported at once, before anything starts.

mod common;

use std::time::Duration;

use common::Tested;
use tidemill::{
    Materialized, Produced, RecordHandler, Repartitioned, StoreBuilder, Streams, StreamsBuilder, StreamsConfig,
    TimeWindows,
    processor::{Processor, ProcessorContext, Record},
    state::{BoxError, Utf8},
    transport::embedded::EmbeddedLog,
};

struct Nothing;

impl Processor<String, String, String, String> for Nothing {
    fn process(
        &mut self,
        _: &mut ProcessorContext<'_, String, String>,
        _: Record<String, String>,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn all_problems_of_a_topology_are_reported_together() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    let again = builder.stream::<String, String>("in");
    let bad_name = builder.stream::<String, String>("not a topic!");

    // Two stores of one name, and the second after a change of the key.
    stream.group_by_key().count("counts");
    again.map(|key, value| (value, key)).named("swap").group_by_key().count("counts");
    // Stores and repartition topics with names that cannot be topics.
    bad_name.group_by_key().count("no/slashes");
    stream.repartition("by key").to("out");
    stream.repartition(Repartitioned::<String, String>::from("none").partitions(0)).to("out-2");
    // Windows that cannot be, and a store that forgets them too early.
    let minute = Duration::from_mins(1);
    let windowed = |windows| stream.group_by_key().windowed_by(windows);
    windowed(TimeWindows::of_size_with_no_grace(Duration::ZERO)).count("empty-windows");
    windowed(TimeWindows::of_size_with_no_grace(minute).advance_by(2 * minute)).count("gaps");
    windowed(TimeWindows::of_size_and_grace(minute, minute))
        .count(Materialized::<String, i64>::named("short").retention(minute));
    // Late records of a step that never comes.
    windowed(TimeWindows::of_size_with_no_grace(minute)).late_records().named("orphans").to("late");
    // A store that nobody declared, one that nobody uses, and two steps of one name.
    let _ = stream.process::<String, String, _>("twice", &["undeclared"], || Nothing);
    let _ = stream.process::<String, String, _>("twice", &[], || Nothing);
    builder.add_key_value_store::<String, String>("unused");

    let error = builder.build().err().ok_or("it must not build")?;
    insta::assert_snapshot!(error);
    Ok(())
}

#[test]
fn a_topology_without_sources_is_an_error() -> Tested {
    let error = StreamsBuilder::new().build().err().ok_or("it must not build")?;
    insta::assert_snapshot!(error);
    Ok(())
}

#[test]
fn mistakes_of_the_configuration_and_missing_topics_are_reported_together() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream.to("missing-out");
    stream.filter(|_, _| true).to("missing-out");
    builder.stream::<String, String>("missing-in").to("out");
    let log = EmbeddedLog::in_memory();
    log.create("in", 1)?;
    log.create("out", 1)?;
    let config = StreamsConfig {
        client_id: Some("me & you".into()),
        num_stream_threads: 0,
        max_buffered_records: 0,
        max_uncommitted_bytes: 0,
        store_memory_bytes: 1,
        session_timeout: Duration::from_millis(10),
        deserialization_handler: RecordHandler::DeadLetter("missing-dead".into()),
        processing_handler: RecordHandler::DeadLetter("missing-dead".into()),
        ..StreamsConfig::new("my app")
    };
    let error = Streams::start(&builder.build()?, config, log).err().ok_or("it must not start")?;
    insta::assert_snapshot!(error);
    Ok(())
}

#[test]
fn a_dead_letter_topic_must_have_a_topics_name() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").to("in");
    let log = EmbeddedLog::in_memory();
    log.create("in", 1)?;
    let config = StreamsConfig {
        processing_handler: RecordHandler::DeadLetter("dead letters".into()),
        ..StreamsConfig::new("a")
    };
    let error = Streams::start(&builder.build()?, config, log).err().ok_or("it must not start")?;
    assert!(error.to_string().contains("the dead-letter topic name 'dead letters' may hold only"), "{error}");
    Ok(())
}

#[test]
fn an_internal_topic_of_another_size_is_reported() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").group_by_key().count("counts");
    let log = EmbeddedLog::in_memory();
    log.create("in", 2)?;
    log.create("app-counts-changelog", 1)?;
    let error = Streams::start(&builder.build()?, StreamsConfig::new("app"), log).err().ok_or("it must not start")?;
    let expect = "internal topic 'app-counts-changelog' has 1 partitions, but the topology needs 2: \
                  reset the application, or give it another application id";
    assert_eq!(error.problems(), [expect]);
    Ok(())
}

#[test]
fn steps_of_two_builders_cannot_meet() -> Tested {
    let (one, other) = (StreamsBuilder::new(), StreamsBuilder::new());
    let strange = other.stream::<String, String>("there");
    let stream = one.stream::<String, String>("here");
    stream.merge(&strange).to("out");
    stream.join(&other.table::<String, String>("users", "users"), |_, left, right| left + &right).to("joined");
    let windows = TimeWindows::of_size_with_no_grace(Duration::from_mins(1));
    let left = stream.group_by_key().windowed_by(windows);
    left.cogroup(strange.group_by_key().windowed_by(windows)).collect("l", "r").map_values(|both| both.left).to("both");
    let error = one.build().err().ok_or("it must not build")?;
    assert_eq!(error.problems().len(), 3, "{error}");
    for problem in error.problems() {
        assert!(problem.contains("belong to two builders"), "{problem}");
    }
    Ok(())
}

#[test]
fn a_name_that_nothing_can_have_is_told_with_what_it_names() -> Tested {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("").group_by_key().count("..");
    let error = builder.build().err().ok_or("it must not build")?;
    let expect =
        ["the store name '..' is the name of a folder: choose another one", "the topic name is empty: give it one"];
    assert_eq!(error.problems(), expect);

    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").to("in");
    let log = EmbeddedLog::in_memory();
    log.create("in", 1)?;
    let error = Streams::start(&builder.build()?, StreamsConfig::new(""), log).err().ok_or("it must not start")?;
    assert_eq!(error.problems(), ["the application id is empty: give it one"]);
    Ok(())
}

#[test]
fn a_choice_among_no_topics_is_an_error() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream.to_by([], |record| record.value.clone());
    stream.to_by(Produced::with_topics(Vec::<String>::new(), Utf8, Utf8), |record| record.value.clone());
    stream.to_by(Produced::any_topic(), |record| record.value.clone());
    let error = builder.build().err().ok_or("it must not build")?;
    let expect = "`to_by` has no topic to choose from: name the topics, or give it `Produced::any_topic()`";
    assert_eq!(error.problems(), [expect]);
    Ok(())
}

#[test]
fn a_retention_that_has_no_effect_is_an_error() -> Tested {
    let minute = Duration::from_mins(1);
    let kept = |name: &str| Materialized::<String, String>::named(name).retention(minute);
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream.to_table(kept("values"));
    stream.to_table(kept("versions").versioned(minute));
    builder.global_table("names-in", kept("names"));
    let stores = ["plain", "windows", "sessions", "same", "own-versions"];
    let _ = stream.process::<String, String, _>("uses", &stores, || Nothing);
    builder.add_state_store(StoreBuilder::key_value(kept("plain")));
    builder.add_window_store(kept("windows"), 2 * minute);
    builder.add_state_store(StoreBuilder::session(kept("sessions"), 2 * minute));
    builder.add_state_store(StoreBuilder::session(kept("same"), minute));
    builder.add_versioned_store(kept("own-versions"), minute);
    let error = builder.build().err().ok_or("it must not build")?;
    let no_effect = "has no windows, so its retention has no effect: take it away,";
    let expect = [
        "global store 'names' has no windows: take its retention away".to_owned(),
        format!("store 'own-versions' {no_effect} because its history has one"),
        format!("store 'plain' {no_effect} or set a time to live"),
        "store 'sessions' has two retentions, 120000 ms and 60000 ms: take one away".to_owned(),
        format!("store 'values' {no_effect} or set a time to live"),
        format!("store 'versions' {no_effect} because its history has one"),
        "store 'windows' has two retentions, 120000 ms and 60000 ms: take one away".to_owned(),
    ];
    assert_eq!(error.problems(), expect);
    Ok(())
}
