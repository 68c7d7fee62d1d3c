//! Keys are erased: from stores, open windows, joins, pending calls and changelogs, in the task's transaction.

mod common;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use common::{Tested, driver};
use tidemill::{
    AsyncCall, EmitStrategy, Erased, JoinWindows, Materialized, RecordHandler, StreamsBuilder, StreamsConfig,
    TimeWindows, Windowed,
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
    testing::{DriverOptions, TopologyTestDriver},
    transport::embedded::Entry,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Every step whose state can be erased.
const STEPS: &[&str] =
    &["counts", "profiles", "totals", "lists", "evens", "pairs", "twins", "grade", "notes", "visits"];

fn text(one: Option<&String>, other: Option<&String>) -> String {
    format!("{}+{}", one.cloned().unwrap_or_default(), other.cloned().unwrap_or_default())
}

/// Keeps values in two stores of its own.
struct Notes;

impl Processor<String, String, String, String> for Notes {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        ctx.key_value_store::<String, String>("notes")?.put(&record.key, &record.value, record.timestamp)?;
        let visits = ctx.window_store::<String, String>("visits")?;
        visits.append(&record.key, record.timestamp / 1_000 * 1_000, &record.value, record.timestamp)?;
        Ok(())
    }
}

fn call() -> AsyncCall<Windowed<String>, i64, i64> {
    AsyncCall::named("grade")
}

/// Steps of all kinds. Windows by the partition's time last an hour; those of keys a second.
fn everything() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    let hours = TimeWindows::of_size_with_no_grace(HOUR);
    let seconds = TimeWindows::of_size_with_no_grace(SECOND).event_time_by_key();
    let on_close = EmitStrategy::on_window_close();
    let within = JoinWindows::of_time_difference_with_no_grace(HOUR);
    stream.group_by_key().count("counts").to_stream().to("counts-out");
    builder.table::<String, String>("profiles-in", "profiles");
    stream.group_by_key().windowed_by(hours).emit(on_close).count("totals").to_stream().to("totals-out");
    let lists = stream.group_by_key().windowed_by(seconds).collect("lists");
    lists.to("lists-out");
    lists
        .map_values(|list| list.len() as i64)
        .map_async(&call())
        .map_values(|it| it.outcome.unwrap_or(-1))
        .to("grades");
    let (even, odd) = (stream.filter(|_, text| text.len() % 2 == 0), stream.filter(|_, text| text.len() % 2 != 0));
    let windowed = |one: &tidemill::KStream<String, String>| one.group_by_key().windowed_by(seconds);
    let both = windowed(&even).cogroup(windowed(&odd)).collect("evens", "odds");
    both.map_values(|both| [both.left, both.right].concat()).to("both-out");
    even.outer_join_stream(&odd, within, "pairs", |_, one, other| text(one, other)).to("pairs-out");
    let within = within.event_time_by_key();
    even.outer_join_stream(&odd, within, "twins", |_, one, other| text(one, other)).to("twins-out");
    stream.process::<String, String, _>("writes-notes", &["notes", "visits"], || Notes).to("notes-out");
    builder.add_key_value_store::<String, String>("notes");
    builder.add_window_store::<String, String>("visits", HOUR);
    forgetting(&builder, STEPS);
    builder
}

fn forgetting(builder: &StreamsBuilder, steps: &[&str]) {
    let told = |Erased { rows, calls, .. }: Erased<()>| format!("{rows} rows, {calls} calls");
    builder.stream::<String, ()>("forget").erase("forgets", steps).map_values(told).to("forgotten");
}

fn pipe(driver: &TopologyTestDriver, records: &[(&str, i64)]) -> Tested {
    for (number, (key, time)) in records.iter().enumerate() {
        let value = format!("{key}{}", "!".repeat(number % 2));
        driver.input::<String, String>("in").pipe((*key).to_owned(), value, *time)?;
    }
    Ok(())
}

/// The answers.
fn forget(driver: &TopologyTestDriver, key: &str) -> Tested<Vec<String>> {
    let answers = || -> Tested<Vec<String>> {
        let answers = driver.output::<String, String>("forgotten").read()?;
        Ok(answers.into_iter().filter(|(of, ..)| of == key).map(|(_, answer, _)| answer).collect())
    };
    let before = answers()?.len();
    driver.input::<String, ()>("forget").pipe(key.to_owned(), (), 5)?;
    Ok(answers()?.split_off(before))
}

/// Changelogs in which something is left whose key or value begins like that.
fn left_of(driver: &TopologyTestDriver, key: &str) -> Tested<Vec<String>> {
    let mut found = Vec::new();
    for topic in driver.plan().internal_topics().into_iter().filter(|topic| topic.is_changelog) {
        let mut last = BTreeMap::new();
        for (_, record) in driver.log().read_all(&topic.spec.name)? {
            last.insert(record.key, record.value);
        }
        let begins = |bytes: &Option<Bytes>| {
            bytes.as_ref().is_some_and(|bytes| bytes.windows(key.len()).any(|part| part == key.as_bytes()))
        };
        if last.iter().any(|(at, value)| value.is_some() && (begins(at) || begins(value))) {
            found.push(topic.spec.name.to_string());
        }
    }
    Ok(found)
}

/// Ann and Bo in every store, with a call of each that nobody has answered.
fn filled(builder: &StreamsBuilder, config: StreamsConfig) -> Tested<TopologyTestDriver> {
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    let profiles = driver.input::<String, Option<String>>("profiles-in");
    for key in ["ann", "bo", "anna"] {
        profiles.pipe(key.into(), Some(format!("{key} is nice")), 0)?;
    }
    pipe(
        &driver,
        &[("ann", 100), ("bo", 100), ("ann", 200), ("anna", 300), ("bo", 300), ("ann", 2_000), ("bo", 2_500)],
    )?;
    Ok(driver)
}

#[test]
fn nothing_of_an_erased_key_is_left_in_changelogs_and_all_of_the_others() -> Tested {
    for handler in [RecordHandler::Fail, RecordHandler::Skip] {
        let driver =
            filled(&everything(), StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") })?;
        let (bo, anna) = (left_of(&driver, "bo")?, left_of(&driver, "anna")?);
        assert!(left_of(&driver, "ann")?.len() >= 14, "{:?}", left_of(&driver, "ann")?);
        assert_eq!(forget(&driver, "ann")?.len(), 1);
        assert_eq!(left_of(&driver, "ann")?, anna, "all that begins like it is of a longer key");
        assert_eq!((left_of(&driver, "bo")?, left_of(&driver, "anna")?), (bo, anna));
        forget(&driver, "anna")?;
        assert_eq!(left_of(&driver, "ann")?, Vec::<String>::new());
    }
    Ok(())
}

#[test]
fn nothing_of_an_erased_key_is_left_in_changelogs_of_expired_windows() -> Tested {
    for collects in [false, true] {
        let builder = StreamsBuilder::new();
        let windows = TimeWindows::of_size_with_no_grace(SECOND);
        let windowed = builder.stream::<String, String>("in").group_by_key().windowed_by(windows);
        let rows = Materialized::<String, String>::named("rows").retention(SECOND * 2);
        if collects {
            windowed.collect(rows).map_values(|list| list.len() as i64).to("out");
        } else {
            windowed.reduce(rows, |before, _| before).to_stream().to("out");
        }
        forgetting(&builder, &["rows"]);
        let driver = driver(&builder);
        // Each is a commit of its own. The second expires the first, and the last expires both.
        for (key, time) in [("ann", 0), ("ann", 5_000), ("bo", 5_000), ("bo", 20_000), ("bo", 40_000)] {
            pipe(&driver, &[(key, time)])?;
        }
        let rows = driver.log().read_all("test-rows-changelog")?;
        let has_text = |key: &[u8], is_some| is_some && key.starts_with(b"ann");
        assert!(
            rows.iter().any(|(_, record)| has_text(record.key.as_deref().unwrap_or_default(), record.value.is_some()))
        );
        forget(&driver, "ann")?;
        assert_eq!(left_of(&driver, "ann")?, [""; 0]);
    }
    Ok(())
}

#[test]
fn an_erased_key_is_in_no_store() -> Tested {
    let driver = filled(&everything(), StreamsConfig::new("test"))?;
    forget(&driver, "ann")?;
    for crash in [false, true] {
        if crash {
            driver.crash();
        }
        for name in ["counts", "profiles", "lists-times", "evens-times", "twins-times", "notes"] {
            let keys = driver.key_value_store::<String, Bytes>(name, 0)?.ok_or("it is there")?.all().read_all()?;
            let keys: Vec<_> = keys.into_iter().map(|(key, _)| key).collect();
            assert_eq!(keys, ["anna", "bo"], "{name}");
        }
        for name in
            ["totals", "lists", "evens", "odds", "pairs-left", "pairs-right", "twins-left", "twins-right", "visits"]
        {
            let rows = driver.window_store::<String, Bytes>(name, 0)?.ok_or("it is there")?.all().read_all()?;
            assert!(rows.iter().all(|((key, _), _)| key != "ann"), "{name} {rows:?}");
        }
    }
    Ok(())
}

#[test]
fn the_answer_tells_how_much_was_erased_and_the_second_that_there_was_nothing() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    let seconds = TimeWindows::of_size_with_no_grace(SECOND);
    let kept = Materialized::<String, String>::named("lists").retention(HOUR);
    let lists = stream.group_by_key().windowed_by(seconds).collect(kept);
    lists.map_values(|list| list.len() as i64).map_async(&call());
    stream.group_by_key().count("counts");
    forgetting(&builder, &["lists", "counts", "grade"]);
    let driver = driver(&builder);
    pipe(&driver, &[("ann", 100), ("ann", 200), ("bo", 1_100), ("ann", 1_200), ("ann", 1_300)])?;
    assert_eq!(forget(&driver, "ann")?, ["5 rows, 1 calls"]);
    driver.crash();
    assert_eq!(forget(&driver, "ann")?, ["0 rows, 0 calls"]);
    assert_eq!(forget(&driver, "bo")?, ["2 rows, 0 calls"]);
    Ok(())
}

#[test]
fn open_windows_and_what_waits_for_a_partner_emit_nothing_of_an_erased_key() -> Tested {
    for crash in [false, true] {
        let driver = filled(&everything(), StreamsConfig::new("test"))?;
        let plain = ["pairs-out", "twins-out"].map(|topic| (topic, driver.output::<String, Bytes>(topic)));
        let windowed = ["lists-out", "both-out", "totals-out"];
        let windowed = windowed.map(|topic| (topic, driver.output::<Windowed<String>, Bytes>(topic)));
        plain.iter().try_for_each(|(_, topic)| topic.read().map(drop))?;
        windowed.iter().try_for_each(|(_, topic)| topic.read().map(drop))?;
        forget(&driver, "ann")?;
        if crash {
            driver.crash();
        }
        // Everything that was open closes.
        let late = 10 * HOUR.as_millis() as i64;
        pipe(&driver, &[("ann", late), ("bo", late), ("ann", 2 * late), ("bo", 2 * late)])?;
        for (topic, output) in windowed {
            let keys: Vec<_> = output.read()?.into_iter().map(|(key, ..)| key.key).collect();
            let count = |of: &str| keys.iter().filter(|key| *key == of).count();
            assert_eq!((count("ann"), count("bo")), (1, 2), "{topic} {crash}: the new one, and the old");
        }
        for (topic, output) in plain {
            let alone = output.read()?.into_iter().filter(|(key, ..)| key == "ann").count();
            assert_eq!(alone, 1, "{topic} {crash}: one of the new ones, no old one");
        }
    }
    Ok(())
}

#[test]
fn a_record_that_comes_later_begins_anew() -> Tested {
    let driver = filled(&everything(), StreamsConfig::new("test"))?;
    forget(&driver, "ann")?;
    let counts = driver.output::<String, i64>("counts-out");
    let lists = driver.output::<Windowed<String>, Vec<String>>("lists-out");
    counts.read()?;
    lists.read()?;
    // Earlier than what was erased: its time is forgotten, too.
    pipe(&driver, &[("ann", 150), ("ann", 1_500)])?;
    assert_eq!(counts.read_values()?, [1, 2]);
    let lists: Vec<_> = lists.read()?.into_iter().map(|(at, list, _)| (at.key, at.window.start, list)).collect();
    assert_eq!(lists, [("ann".to_owned(), 0, vec!["ann".to_owned()])]);
    let twins = driver.output::<String, String>("twins-out").read()?;
    assert_eq!(
        twins.last().map(|(key, text, _)| (&**key, &**text)),
        Some(("ann", "ann!+ann")),
        "a pair of the new ones"
    );
    Ok(())
}

#[test]
fn an_answer_on_its_way_to_an_erased_request_has_no_effect() -> Tested {
    let driver = filled(&everything(), StreamsConfig::new("test"))?;
    let requests = driver.log().read_all("test-grade-requests")?;
    let of = |key: &str| {
        let mut requests = requests.iter().filter_map(|(_, record)| record.key.clone());
        requests.find(|id| id.len() == key.len() + 24 && id.starts_with(key.as_bytes())).ok_or("it was asked")
    };
    assert!(forget(&driver, "ann")?[0].ends_with(" 1 calls"));
    for key in ["ann", "bo"] {
        let response =
            Entry { key: Some(of(key)?), value: Some(7_i64.to_be_bytes().to_vec().into()), ..Entry::default() };
        driver.log().append("test-grade-responses", 0, [response])?;
    }
    let grades = driver.output::<Windowed<String>, i64>("grades").read()?;
    assert_eq!(grades.into_iter().map(|(key, ..)| key.key).collect::<Vec<_>>(), ["bo"]);
    Ok(())
}

#[test]
fn a_key_of_more_rows_than_one_turn_takes_is_erased_before_anything_else_happens() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    let windows = TimeWindows::of_size_with_no_grace(HOUR);
    let emit = EmitStrategy::on_window_close().idle_after(SECOND);
    stream.group_by_key().windowed_by(windows).emit(emit).collect("lists").to("out");
    forgetting(&builder, &["lists"]);
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    for number in 0..12_000 {
        input.enqueue(if number % 2 == 0 { "ann" } else { "bo" }.into(), "x".into(), number)?;
    }
    driver.status()?;
    let forgets = driver.input::<String, ()>("forget");
    forgets.enqueue("ann".into(), (), 20_000)?;
    input.enqueue("ann".into(), "new".into(), 20_001)?;
    driver.advance_wall_clock(2 * HOUR)?;
    assert_eq!(driver.output::<String, String>("forgotten").read_values()?, ["6000 rows, 0 calls"]);
    let lists = driver.output::<Windowed<String>, Vec<String>>("out").read()?;
    let lists: Vec<_> = lists.into_iter().map(|(at, list, _)| (at.key, list.len())).collect();
    assert_eq!(lists, [("ann".to_owned(), 1), ("bo".to_owned(), 6_000)]);
    assert!(driver.log().group_lag("test").iter().all(|partition| partition.lag == 0), "the request is done with");
    Ok(())
}

#[test]
fn each_partition_erases_its_own_keys() -> Tested {
    let builder = everything();
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions::default().partitions(3))?;
    let keys: Vec<_> = (0..12).map(|number| format!("key-{number:02}")).collect();
    let records: Vec<_> = keys.iter().map(|key| (&**key, 100)).collect();
    pipe(&driver, &records)?;
    for key in &keys {
        assert_eq!(forget(&driver, key)?.len(), 1);
        assert_eq!(left_of(&driver, key)?, Vec::<String>::new());
    }
    Ok(())
}

/// Says what time it is with each record.
struct Time;

impl Processor<String, String, String, i64> for Time {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        let time = ctx.current_stream_time_ms();
        ctx.forward(record.with_value(time));
        Ok(())
    }
}

#[test]
fn a_request_to_erase_moves_no_time() -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream.process::<String, i64, _>("tells", &["notes"], || Time).to("out");
    builder.add_key_value_store::<String, String>("notes");
    forgetting(&builder, &["notes"]);
    let driver = driver(&builder);
    pipe(&driver, &[("ann", 100)])?;
    driver.input::<String, ()>("forget").pipe("ann".into(), (), 1_000_000)?;
    driver.crash();
    pipe(&driver, &[("ann", 200)])?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [100, 200]);
    Ok(())
}

#[test]
fn steps_that_cannot_be_erased_from_are_refused() {
    let problem = |build: &dyn Fn(&StreamsBuilder)| {
        let builder = StreamsBuilder::new();
        build(&builder);
        builder.build().err().map(|error| error.to_string()).unwrap_or_default()
    };
    let unknown = problem(&|builder| forgetting(builder, &["nothing"]));
    assert!(
        unknown.contains("'forgets' erases from 'nothing', which is no store, nor a step that has one"),
        "{unknown}"
    );
    let after = problem(&|builder| {
        let counts =
            builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().drop_null_values();
        counts.filter(|_, count| *count > 3).erase("forgets", &["counts"]);
    });
    assert!(after.contains("erases from 'counts', which it comes after"), "{after}");
    let codec = problem(&|builder| {
        builder.stream::<i64, String>("in").group_by_key().count("counts");
        forgetting(builder, &["counts"]);
    });
    assert!(codec.contains("'forgets' erases keys of codec 'utf8', but those of store 'counts' are"), "{codec}");
    let apart = problem(&|builder| {
        let stream = builder.stream::<String, String>("in");
        stream.group_by_key().count("above");
        stream.map(|key, value| (value, key)).repartition("swapped").group_by_key().count("below");
        forgetting(builder, &["above", "below"]);
    });
    assert!(apart.contains("are partitioned apart by 'swapped'"), "{apart}");
    let rekeyed = problem(&|builder| {
        let stream = builder.stream::<String, String>("in");
        stream.group_by_key().count("counts");
        stream.map(|key, value| (value, key)).erase("forgets", &["counts"]);
    });
    assert!(rekeyed.contains("'forgets' relies on the key"), "{rekeyed}");
}
