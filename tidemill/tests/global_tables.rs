//! Global tables: every instance keeps all of a topic, and streams join it by any key.

mod common;

use std::time::Duration;

use common::{Tested, driver, is_drained, records, strings, wait_until};
use tidemill::{
    ProcessingGuarantee, RecordHandler, Streams, StreamsBuilder, StreamsConfig, TaskError, TaskState, Topology,
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
    testing::{DriverOptions, TopologyTestDriver},
    transport::{
        TopicPartition, Transport as _,
        embedded::{EmbeddedLog, Entry},
    },
};

/// `orders` (item → user) is joined with the global table of `users` (user → name) → `labels`.
fn labels(builder: &StreamsBuilder) {
    let names = builder.global_table::<String, String>("users", "names");
    let orders = builder.stream::<String, Option<String>>("orders");
    let label = |_: &String, _, name: Option<String>| name.unwrap_or("nobody".into());
    orders.left_join_global(&names, |_, user| user.clone(), label).to("labels");
    orders.join_global(&names, |_, user| user.clone(), |_, _, name| name).to("known");
}

fn topology() -> Tested<Topology> {
    let builder = StreamsBuilder::new();
    labels(&builder);
    Ok(builder.build()?)
}

#[expect(clippy::unnecessary_wraps, reason = "values may be null")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_stream_finds_any_key_of_a_topic_that_is_partitioned_otherwise() -> Tested {
    let partitions = [("users".to_owned(), 5), ("orders".to_owned(), 2)].into();
    let driver = TopologyTestDriver::with(&topology()?, DriverOptions { partitions, ..DriverOptions::default() })?;
    let users = driver.input::<String, String>("users");
    for number in 0..50 {
        users.pipe(format!("u{number}"), format!("n{number}"), 1_000)?;
    }
    let orders = driver.input::<String, Option<String>>("orders");
    for number in 0..60 {
        orders.pipe("tea".into(), Some(format!("u{number}")), number)?;
    }
    let expected: Vec<_> = (0..50).map(|number| ("tea".to_owned(), format!("n{number}"), number)).collect();
    assert_eq!(driver.output::<String, String>("known").read()?, expected, "key and time are the order's");
    assert!(driver.log().admin()?.list_topics()?.iter().all(|topic| !topic.contains("names")), "no changelog");
    Ok(())
}

#[test]
fn a_record_that_is_mapped_to_no_key_has_no_match() -> Tested {
    let driver = TopologyTestDriver::new(&topology()?)?;
    driver.input::<String, String>("users").pipe("ann".into(), "Ann".into(), 0)?;
    let orders = driver.input::<String, Option<String>>("orders");
    orders.pipe_all([("tea".into(), None, 1), ("jam".into(), some("bo"), 2), ("rum".into(), some("ann"), 3)])?;
    assert_eq!(driver.output::<String, String>("labels").read_values()?, ["nobody", "nobody", "Ann"]);
    assert_eq!(driver.output::<String, String>("known").read_values()?, ["Ann"]);
    let dropped = &driver.status()?.tasks[0].records_dropped;
    assert_eq!(dropped.iter().map(|(_, reason, count)| (*reason, *count)).collect::<Vec<_>>(), [("null-key", 1)]);
    Ok(())
}

#[test]
fn a_tombstone_deletes_and_the_last_value_counts() -> Tested {
    let driver = TopologyTestDriver::new(&topology()?)?;
    let users = driver.input::<String, Option<String>>("users");
    users.pipe_all([("ann".into(), some("Ann"), 5), ("bo".into(), some("Bo"), 5), ("ann".into(), some("Anna"), 2)])?;
    users.pipe("bo".into(), None, 6)?;
    let orders = driver.input::<String, Option<String>>("orders");
    orders.pipe_all([("tea".into(), some("ann"), 0), ("tea".into(), some("bo"), 0)])?;
    assert_eq!(driver.output::<String, String>("labels").read_values()?, ["Anna", "nobody"]);
    let names = driver.key_value_store::<String, String>("names", 0)?.expect("it is whole");
    assert_eq!(names.all().read_all()?, [("ann".to_owned(), "Anna".to_owned())]);
    assert_eq!(names.get_with_timestamp(&"ann".into())?, Some(("Anna".into(), 2)));
    Ok(())
}

#[test]
fn the_topic_may_also_be_read_as_a_stream_and_written_by_the_application() -> Tested {
    let builder = StreamsBuilder::new();
    labels(&builder);
    builder.stream::<String, String>("users").map_values(|name| name.to_uppercase()).to("shouted");
    builder.stream::<String, String>("renamed").to("users");
    let driver = driver(&builder);
    let shouted = driver.output::<String, String>("shouted");
    driver.input::<String, String>("users").pipe("ann".into(), "Ann".into(), 0)?;
    assert_eq!(shouted.read_values()?, ["ANN"]);
    driver.input::<String, String>("renamed").pipe("ann".into(), "Anna".into(), 1)?;
    driver.input::<String, Option<String>>("orders").pipe("tea".into(), some("ann"), 2)?;
    assert_eq!(driver.output::<String, String>("labels").read_values()?, ["Anna"]);
    assert_eq!(shouted.read_values()?, ["ANNA"]);
    Ok(())
}

#[test]
fn after_a_crash_the_table_is_whole_before_the_first_record() -> Tested {
    let driver = TopologyTestDriver::with(&topology()?, DriverOptions::default().partitions(3))?;
    let (users, orders) = (driver.input::<String, String>("users"), driver.input::<String, Option<String>>("orders"));
    for number in 0..30 {
        users.pipe(format!("u{number}"), "here".into(), 0)?;
    }
    driver.crash();
    orders.pipe_all((0..30).map(|number| ("tea".into(), Some(format!("u{number}")), number)))?;
    assert_eq!(driver.output::<String, String>("known").read_values()?, vec!["here"; 30]);
    Ok(())
}

fn numbers(handler: RecordHandler) -> Tested<TopologyTestDriver> {
    let builder = StreamsBuilder::new();
    let numbers = builder.global_table::<String, i64>("numbers", "numbers-of");
    builder.stream::<String, String>("in").join_global(&numbers, |key, _| some(key), |_, _, it| it).to("out");
    let config = StreamsConfig { deserialization_handler: handler, ..StreamsConfig::new("test") };
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?)
}

#[test]
fn bytes_that_do_not_decode_end_the_application_or_are_left_out() -> Tested {
    let error = numbers(RecordHandler::Fail)?.input::<String, String>("numbers").pipe("a".into(), "x".into(), 0);
    let error = error.expect_err("it is refused").to_string();
    assert!(error.contains("topic 'numbers', partition 0, offset 0"), "{error}");

    let driver = numbers(RecordHandler::Skip)?;
    driver.input::<String, String>("numbers").pipe("a".into(), "x".into(), 0)?;
    driver.input::<String, i64>("numbers").pipe("b".into(), 7, 0)?;
    driver.input::<String, String>("in").pipe_all([("a".into(), String::new(), 0), ("b".into(), String::new(), 0)])?;
    assert_eq!(driver.output::<String, i64>("out").read()?, [("b".to_owned(), 7, 0)]);
    let global = driver.status()?.tasks.pop().expect("the table is reported");
    assert_eq!(global.id.to_string(), "global");
    assert_eq!(global.records_dropped, [("numbers".to_owned(), "undecodable", 1)]);
    Ok(())
}

#[test]
fn a_bad_record_is_dead_lettered_once_however_often_the_table_is_filled() -> Tested {
    let driver = numbers(RecordHandler::DeadLetter("dead".into()))?;
    let bad = driver.input::<String, String>("numbers");
    bad.pipe_all([("a".into(), "x".into(), 3), ("b".into(), "y".into(), 4)])?;
    driver.crash();
    bad.pipe("c".into(), "z".into(), 5)?;
    driver.crash();
    driver.input::<String, i64>("numbers").pipe("a".into(), 7, 6)?;
    let letters = driver.output::<String, String>("dead").read_records()?;
    let told = letters.iter().map(|it| (it.key.as_str(), it.value.as_str(), it.timestamp)).collect::<Vec<_>>();
    assert_eq!(told, [("a", "x", 3), ("b", "y", 4), ("c", "z", 5)]);
    let offset = letters[2].headers.last("__streams.errors.offset").map(|it| it.to_vec());
    assert_eq!(offset.as_deref(), Some(&b"2"[..]));
    Ok(())
}

/// Keeps how often each value came last, by value. It fails for "odd".
struct Inverted;

impl Processor<String, Option<String>, (), ()> for Inverted {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, (), ()>,
        record: Record<String, Option<String>>,
    ) -> Result<(), BoxError> {
        let store = ctx.key_value_store::<String, String>("inverted")?;
        match record.value.as_deref() {
            Some("odd") => {
                store.put(&"odd".into(), &record.key, 0)?;
                return Err("it is odd".into());
            }
            Some(value) => store.put(&value.to_owned(), &record.key, record.timestamp)?,
            None => {
                for (value, key) in store.all().read_all()? {
                    if key == record.key {
                        store.delete(&value)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Looks values up, and tries to write.
struct Asks;

impl Processor<String, String, String, String> for Asks {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        let store = ctx.key_value_store::<String, String>("inverted")?;
        let found = store.get(&record.value)?.unwrap_or_default();
        let refused = store.put(&record.value, &found, 0).expect_err("it is refused").to_string();
        ctx.forward(Record { value: format!("{found}: {refused}"), ..record });
        Ok(())
    }
}

fn inverted(handler: RecordHandler) -> Tested<TopologyTestDriver> {
    let builder = StreamsBuilder::new();
    builder.add_global_store::<String, String, _, _, _>("inverted", "users", || Inverted);
    builder.stream::<String, String>("in").process("asks", &[], || Asks).to("out");
    let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    Ok(TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?)
}

#[test]
fn a_processor_fills_a_global_store_also_when_it_is_restored() -> Tested {
    let driver = inverted(RecordHandler::Fail)?;
    let users = driver.input::<String, Option<String>>("users");
    users.pipe_all([("1".into(), some("Ann"), 0), ("2".into(), some("Bo"), 1), ("1".into(), None, 2)])?;
    for _ in 0..2 {
        let store = driver.key_value_store::<String, String>("inverted", 0)?.expect("it is whole");
        assert_eq!(store.all().read_all()?, [("Bo".to_owned(), "2".to_owned())], "keys are not those of the topic");
        driver.crash();
    }
    Ok(())
}

#[test]
fn every_processor_reads_a_global_store_and_none_writes_it() -> Tested {
    let driver = inverted(RecordHandler::Fail)?;
    driver.input::<String, Option<String>>("users").pipe("1".into(), some("Ann"), 0)?;
    driver.input::<String, String>("in").pipe("k".into(), "Ann".into(), 1)?;
    let answer = driver.output::<String, String>("out").read_values()?.remove(0);
    assert_eq!(answer, "1: store inverted can only be read here: its topic fills it");
    Ok(())
}

#[test]
fn a_record_that_the_processor_refuses_leaves_no_effect() -> Tested {
    let driver = inverted(RecordHandler::DeadLetter("dead".into()))?;
    let users = driver.input::<String, Option<String>>("users");
    users.pipe_all([("1".into(), some("odd"), 0), ("2".into(), some("Bo"), 1)])?;
    let store = driver.key_value_store::<String, String>("inverted", 0)?.expect("it is whole");
    assert_eq!(store.all().read_all()?, [("Bo".to_owned(), "2".to_owned())]);
    assert_eq!(driver.output::<String, String>("dead").read_values()?, ["odd"]);

    let failed = inverted(RecordHandler::Fail)?;
    let error =
        failed.input::<String, Option<String>>("users").pipe("1".into(), some("odd"), 0).expect_err("it is refused");
    assert!(error.chain().contains("operator 'inverted', topic 'users', partition 0, offset 0: it is odd"), "{error}");
    Ok(())
}

#[test]
fn names_of_stores_are_unique_and_global_stores_need_no_connection() {
    let builder = StreamsBuilder::new();
    builder.global_table::<String, String>("users", "names");
    builder.global_table::<String, String>("others", "names");
    builder.stream::<String, String>("in").process("asks", &["names"], || Asks).to("out");
    let problems = builder.build().expect_err("it is refused");
    assert!(problems.problems().iter().any(|it| it.starts_with("two stores are named 'names'")), "{problems}");
    let connected = "'asks' names the global store 'names' among its stores: take 'names' out of this list. Every \
                     processor can read a global store without it";
    assert!(problems.problems().contains(&connected.to_owned()), "{problems}");
}

#[test]
fn a_description_shows_global_stores_apart_from_the_tasks() -> Tested {
    let driver = TopologyTestDriver::with(&topology()?, DriverOptions::default().partitions(2))?;
    let text = driver.plan().describe();
    let expected = "\
Global store: names
  users (global-source, topic: users [2])
    --> names
  names (global-table, stores: [names])
";
    assert!(text.ends_with(expected), "{text}");
    assert_eq!(driver.plan().subtopologies().len(), 1);
    assert!(!driver.plan().all_source_topics().iter().any(|topic| &**topic == "users"));
    Ok(())
}

fn log(partitions: i32) -> Tested<EmbeddedLog> {
    let log = EmbeddedLog::in_memory();
    for topic in ["users", "orders", "labels", "known", "dead"] {
        log.create(topic, partitions)?;
    }
    Ok(log)
}

fn known(log: &EmbeddedLog) -> Vec<String> {
    records::<String, String>(log, "known").into_iter().map(|(_, _, name)| name).collect()
}

#[test]
fn no_task_works_before_the_table_is_whole_and_updates_arrive_while_it_runs() -> Tested {
    let log = log(3)?;
    let number = 30_000;
    for user in 0..number {
        log.append("users", user % 3, [Entry::new(format!("u{user}"), "here", 0)])?;
    }
    log.append("orders", 0, [Entry::new("tea", format!("u{}", number - 1), 0)])?;
    let config = StreamsConfig { num_stream_threads: 2, ..StreamsConfig::new("app") };
    let instances = [(); 2].map(|()| Streams::start(&topology().expect("valid"), config.clone(), log.clone()));
    let [one, other] = instances;
    let (one, other) = (one?, other?);
    wait_until("the order is processed", || is_drained(&log, "app"));
    assert_eq!(known(&log), ["here"]);

    log.append("users", 0, [Entry::new("new", "later", 0)])?;
    for streams in [&one, &other] {
        let names = streams.key_value_store::<String, String>("names");
        wait_until("the update arrives", || names.get(&"new".into()).ok().flatten() == some("later"));
        assert_eq!(names.all_keys()?.len(), number as usize + 1, "every instance has all partitions");
    }
    log.append("orders", 2, [Entry::new("jam", "new", 1)])?;
    wait_until("the second order is processed", || known(&log).len() == 2);
    assert_eq!(known(&log), ["here", "later"]);

    let place = one.query_metadata_for_key("names", &"new".to_owned())?;
    assert!(place.active.is_some_and(|host| host.is_here), "every instance has the key");
    let status = one.status().into_iter().find(|thread| thread.name.ends_with("-global-names")).expect("reported");
    assert_eq!(status.tasks[0].state, TaskState::Running);
    one.close()?;
    other.close()?;
    Ok(())
}

#[test]
fn a_table_whose_topic_lost_the_next_records_is_filled_again() -> Tested {
    let log = log(1)?;
    log.append("users", 0, [Entry::new("ann", "Ann", 0), Entry::new("bo", "Bo", 0)])?;
    let streams = Streams::start(&topology()?, StreamsConfig::new("app"), log.clone())?;
    let names = streams.key_value_store::<String, String>("names");
    wait_until("it is whole", || names.all_keys().is_ok_and(|keys| keys.len() == 2));
    streams.close()?;
    log.append("users", 0, [Entry::new("cy", "Cy", 0)])?;
    log.admin()?.delete_records(&TopicPartition::new("users", 0), 2)?;
    let streams = Streams::start(&topology()?, StreamsConfig::new("app"), log.clone())?;
    let names = streams.key_value_store::<String, String>("names");
    wait_until("it is whole again", || names.all_keys().is_ok());
    assert_eq!(names.all_keys()?, ["cy"]);
    streams.close()?;
    Ok(())
}

#[test]
fn the_instances_write_a_dead_letter_together_once() -> Tested {
    for guarantee in [ProcessingGuarantee::ExactlyOnce, ProcessingGuarantee::AtLeastOnce] {
        let log = log(2)?;
        let handler = RecordHandler::DeadLetter("dead".into());
        let config = StreamsConfig {
            deserialization_handler: handler,
            processing_guarantee: guarantee,
            ..StreamsConfig::new("app")
        };
        let start = |_| Streams::start(&topology().expect("valid"), config.clone(), log.clone());
        for number in 0..20 {
            log.append("users", number % 2, [Entry::new(format!("{number}"), vec![0xff], 0)])?;
        }
        let instances = (0..3).map(start).collect::<Result<Vec<_>, _>>()?;
        for number in 20..40 {
            log.append("users", number % 2, [Entry::new(format!("{number}"), vec![0xff], 0)])?;
        }
        let whole = |one: &Streams| {
            let global = one.status().into_iter().find(|thread| thread.name.ends_with("-global-names"));
            global.is_some_and(|thread| thread.tasks.first().is_some_and(|task| task.records_processed == 40))
        };
        wait_until("all have read all", || instances.iter().all(whole));
        let letters = log.read_all("dead")?.into_iter();
        let mut keys: Vec<_> =
            letters.map(|(_, it)| String::from_utf8_lossy(&it.key.unwrap_or_default()).into_owned()).collect();
        keys.sort_by_key(|key| key.parse::<i32>().expect("a number"));
        assert_eq!(keys, (0..40).map(|number| number.to_string()).collect::<Vec<_>>());
        instances.into_iter().try_for_each(Streams::close)?;
    }
    Ok(())
}

#[test]
fn a_bad_record_ends_every_instance_and_says_where_it_is() -> Tested {
    let log = log(1)?;
    log.append("users", 0, [Entry::new("ann", vec![0xff], 0)])?;
    let streams = Streams::start(&topology()?, StreamsConfig::new("app"), log)?;
    let error = streams.wait().expect_err("it failed");
    assert!(matches!(&error, TaskError::Failed { position: Some(_), .. }), "{error}");
    assert!(error.to_string().contains("task global, operator 'users', topic 'users', partition 0, offset 0"));
    Ok(())
}

#[test]
fn a_missing_topic_is_found_at_the_start() -> Tested {
    let log = EmbeddedLog::in_memory();
    strings(&["orders", "labels", "known"]).iter().try_for_each(|topic| log.create(topic, 1))?;
    let error = Streams::start(&topology()?, StreamsConfig::new("app"), log).err().expect("a refusal");
    assert_eq!(error.problems(), ["topic 'users' does not exist: create it before starting"]);
    Ok(())
}

#[test]
fn query_handles_that_outlive_the_application_find_nothing() -> Tested {
    let log = log(1)?;
    let streams = Streams::start(&topology()?, StreamsConfig::new("app"), log)?;
    let names = streams.key_value_store::<String, String>("names").with_timeout(Duration::from_secs(5));
    wait_until("it is whole", || names.all().is_ok());
    streams.close()?;
    assert!(names.all().is_err());
    Ok(())
}
