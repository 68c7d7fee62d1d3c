//! Session stores of processors: declared as values, written late, undone, restored, erased, queried.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, in_and_out, is_drained, wait_until};
use tidemill::{
    Erased, Materialized, RecordHandler, StoreBuilder, Streams, StreamsBuilder, StreamsConfig, TopologyBuilder,
    ValueHeaders,
    processor::{Processor, ProcessorContext, ProcessorSupplier, Record},
    state::{BoxError, Session},
    testing::{DriverOptions, TopologyTestDriver},
    transport::{Header, Headers, embedded::Entry},
};

const GAP_MS: i64 = 10;
const KEPT: Duration = Duration::from_millis(100);

/// Merges records that are at most the gap apart, and forwards the sessions that their key has then. Also keeps each
/// record in a window of its time, and forwards how many are there. Refuses what is "bad", after it has kept it.
struct Visits;

impl Processor<String, String, String, String> for Visits {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        let (key, at) = (&record.key, record.timestamp);
        let visits = ctx.session_store::<String, String>("visits")?;
        let (mut merged, mut texts) = (Session { start: at, end: at }, String::new());
        for near in visits.find_sessions(key, at - GAP_MS, at + GAP_MS) {
            let (Session { start, end }, text) = near?;
            visits.remove(key, start, end)?;
            merged = Session { start: start.min(merged.start), end: end.max(merged.end) };
            texts += &text;
        }
        texts += &record.value;
        visits.put(key, merged.start, merged.end, &texts)?;
        let windows = ctx.window_store::<String, String>("windows")?;
        windows.append(key, at, &record.value, at)?;
        let mut seen: Vec<_> = visits
            .fetch(key)
            .map(|found| found.map(|(at, text)| format!("{}-{} {text}", at.start, at.end)))
            .collect::<Result<_, _>>()?;
        seen.push(format!("{} windows", windows.fetch(key, 0, i64::MAX).read_all()?.len()));
        let is_bad = record.value == "bad";
        ctx.forward(record.with_value(seen.join(", ")));
        if is_bad { Err("it is bad".into()) } else { Ok(()) }
    }
}

struct Supplier;

impl ProcessorSupplier<String, String, String, String> for Supplier {
    type Processor = Visits;

    fn get(&self) -> Visits {
        Visits
    }

    fn stores(&self) -> Vec<StoreBuilder> {
        let windows = Materialized::<String, String>::named("windows").in_memory();
        vec![StoreBuilder::session::<String, String>("visits", KEPT), StoreBuilder::window(windows, KEPT)]
    }
}

fn visits(handler: RecordHandler) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").process("visit", &[], Supplier).to("out");
    let told = |Erased { rows, .. }: Erased<()>| rows as i64;
    builder.stream::<String, ()>("forget").erase("forgets", &["visits", "windows"]).map_values(told).to("forgotten");
    let config = StreamsConfig { processing_handler: handler, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, ..DriverOptions::default() };
    TopologyTestDriver::with(&builder.build().expect("the topology is valid"), options).expect("the driver starts")
}

fn pipe(driver: &TopologyTestDriver, records: &[(&str, &str, i64)]) -> Tested {
    let records = records.iter().map(|(key, value, time)| ((*key).to_owned(), (*value).to_owned(), *time));
    Ok(driver.input::<String, String>("in").pipe_all(records)?)
}

fn seen(driver: &TopologyTestDriver) -> Tested<Vec<String>> {
    Ok(driver.output::<String, String>("out").read_values()?)
}

/// What the changelogs of the stores hold after compaction, without the stores' own notes.
fn left(driver: &TopologyTestDriver) -> Tested<usize> {
    let mut last = BTreeMap::new();
    for topic in ["test-visits-changelog", "test-windows-changelog"] {
        for (_, record) in driver.log().read_all(topic)? {
            last.insert((topic, record.key), record.value);
        }
    }
    // The key of a note is shorter than any row's.
    let is_row = |key: &Option<bytes::Bytes>| key.as_ref().is_some_and(|key| key.len() > 12);
    Ok(last.into_iter().filter(|((_, key), value)| is_row(key) && value.is_some()).count())
}

#[test]
fn a_session_store_survives_a_crash_with_what_was_merged() -> Tested {
    let driver = visits(RecordHandler::Fail);
    pipe(&driver, &[("a", "1", 0), ("a", "2", 30), ("b", "x", 31)])?;
    driver.crash();
    pipe(&driver, &[("a", "3", 8), ("a", "4", 20)])?;
    let expected = [
        "0-0 1, 1 windows",
        "0-0 1, 30-30 2, 2 windows",
        "31-31 x, 1 windows",
        "0-8 13, 30-30 2, 3 windows",
        "0-8 13, 20-30 24, 4 windows",
    ];
    assert_eq!(seen(&driver)?, expected);
    Ok(())
}

#[test]
fn what_comes_too_late_is_left_out_whenever_commits_happen() -> Tested {
    let records = [
        ("a", "1", 0),
        ("a", "2", 50),
        ("b", "moves the time", 120),
        ("a", "late", 20),
        ("a", "in time", 21),
        ("a", "joins what is expired", 5),
        ("b", "moves the time", 171),
        ("a", "3", 171),
    ];
    let expected = [
        "0-0 1, 1 windows",
        "0-0 1, 50-50 2, 2 windows",
        "120-120 moves the time, 1 windows",
        "50-50 2, 1 windows",
        "21-21 in time, 50-50 2, 2 windows",
        "21-21 in time, 50-50 2, 2 windows",
        "120-120 moves the time, 171-171 moves the time, 2 windows",
        "171-171 3, 1 windows",
    ];
    let each = visits(RecordHandler::Fail);
    for record in records {
        pipe(&each, &[record])?;
    }
    assert_eq!(seen(&each)?, expected);
    let together = visits(RecordHandler::Fail);
    let input = together.input::<String, String>("in");
    for (key, value, time) in records {
        input.enqueue(key.into(), value.into(), time)?;
    }
    assert_eq!(seen(&together)?, expected);
    let crashing = visits(RecordHandler::Fail);
    for record in records {
        pipe(&crashing, &[record])?;
        crashing.crash();
    }
    assert_eq!(seen(&crashing)?, expected);
    Ok(())
}

#[test]
fn a_record_that_is_left_out_leaves_no_session_and_expires_none() -> Tested {
    let driver = visits(RecordHandler::Skip);
    let input = driver.input::<String, String>("in");
    for (value, time) in [("1", 0), ("bad", 5), ("bad", 500), ("2", 7), ("bad", 8), ("3", 30)] {
        input.enqueue("a".into(), value.into(), time)?;
    }
    let expected = ["0-0 1, 1 windows", "0-7 12, 2 windows", "0-7 12, 30-30 3, 3 windows"];
    assert_eq!(seen(&driver)?, expected);
    driver.crash();
    pipe(&driver, &[("a", "bad", 900), ("a", "4", 31)])?;
    assert_eq!(seen(&driver)?.last().map(String::as_str), Some("0-7 12, 30-31 34, 4 windows"));
    Ok(())
}

#[test]
fn an_erased_key_leaves_nothing_of_its_sessions_also_if_they_expired() -> Tested {
    let driver = visits(RecordHandler::Fail);
    pipe(&driver, &[("ann", "1", 0), ("ann", "2", 150), ("ann", "3", 200), ("anna", "4", 200)])?;
    driver.input::<String, ()>("forget").pipe("ann".into(), (), 200)?;
    assert_eq!(driver.output::<String, i64>("forgotten").read_values()?, [4], "two sessions, two windows");
    assert_eq!(left(&driver)?, 2, "the session and the window of anna");
    pipe(&driver, &[("ann", "5", 201), ("anna", "6", 201)])?;
    let last = seen(&driver)?.split_off(4);
    assert_eq!(last, ["201-201 5, 1 windows", "200-201 46, 2 windows"]);
    Ok(())
}

/// Keeps each record with its headers as a session.
struct Headed;

impl Processor<String, String, String, String> for Headed {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        Record { key, value, timestamp, headers }: Record<String, String>,
    ) -> Result<(), BoxError> {
        let kept = ctx.session_store::<String, ValueHeaders<String>>("kept")?;
        if let Some(ValueHeaders { value, headers }) = kept.fetch_session(&key, 0, timestamp)? {
            ctx.forward(Record { key: key.clone(), value, timestamp, headers });
        }
        Ok(kept.put(&key, 0, timestamp, &ValueHeaders { value, headers })?)
    }
}

#[test]
fn a_session_keeps_the_headers_of_its_value() -> Tested {
    let builder = TopologyBuilder::new();
    let source = builder.add_source::<String, String>("source", "in");
    let headed = builder.add_processor("headed", || Headed, &[&source]);
    let kept = Materialized::<String, ValueHeaders<String>>::named("kept").in_memory();
    builder.add_state_store(StoreBuilder::session(kept, KEPT), &["headed"]);
    builder.add_sink("sink", "out", &[&headed]);
    let driver = TopologyTestDriver::new(&builder.build()?)?;
    let headers = Headers::from_iter([Header { key: "trace".into(), value: Some("7".into()) }]);
    driver.log().append("in", 0, [Entry { headers: headers.clone(), ..Entry::new("a", "first", 5) }])?;
    driver.status()?;
    driver.crash();
    pipe(&driver, &[("a", "second", 5)])?;
    let out = driver.log().read_all("out")?;
    assert_eq!(out.iter().map(|(_, record)| &record.headers).collect::<Vec<_>>(), [&headers]);
    Ok(())
}

#[test]
fn queries_see_the_sessions_of_a_processor_also_after_a_restore() -> Tested {
    let log = in_and_out(1);
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").process("visit", &[], Supplier).to("out");
    let topology = builder.build()?;
    let config = || StreamsConfig { poll_timeout: Duration::from_millis(5), ..StreamsConfig::new("app") };
    let entries = [("1", 0), ("2", 8), ("3", 50), ("moves the time", 107)];
    log.append("in", 0, entries.map(|(text, time)| Entry::new("a", text, time)))?;
    for _ in 0..2 {
        // The second instance restores what the first one has left.
        let streams = Streams::start(&topology, config(), log.clone())?;
        wait_until("all is processed", || is_drained(&log, "app"));
        let visits = streams.session_store::<String, String>("visits");
        wait_until("it answers", || visits.fetch(&"a".into()).is_ok());
        let at = |start, end, text: &str| (Session { start, end }, text.to_owned());
        let expected = [at(0, 8, "12"), at(50, 50, "3"), at(107, 107, "moves the time")];
        assert_eq!(visits.fetch(&"a".into())?, expected);
        assert_eq!(visits.fetch_session(&"a".into(), 50, 50)?.as_deref(), Some("3"));
        assert_eq!(visits.find_sessions(&"a".into(), 9, 100)?, expected[1..2]);
        streams.close()?;
    }
    Ok(())
}

#[test]
fn a_topology_describes_a_session_store_that_it_was_given() -> Tested {
    let builder = TopologyBuilder::new();
    let source = builder.add_source::<String, String>("source", "in");
    builder.add_processor::<_, _, String, String>("headed", || Headed, &[&source]);
    let store = || StoreBuilder::session::<String, ValueHeaders<String>>("kept", KEPT);
    assert_eq!(store().name(), "kept");
    builder.add_state_store(store(), &["headed"]);
    builder.add_state_store(store(), &["headed"]);
    let topology = builder.build()?;
    let kept: Vec<_> = topology.stores().map(|store| (&*store.name, store.kind.retention())).collect();
    assert_eq!(kept, [("kept", Some(KEPT))], "an equal store is that store");
    let other = StoreBuilder::session::<String, ValueHeaders<String>>("kept", KEPT * 2);
    builder.add_state_store(other, &["headed"]);
    let error = builder.build().expect_err("two stores have one name");
    assert_eq!(error.problems(), ["two stores are named 'kept': give each its own name"]);
    Ok(())
}
