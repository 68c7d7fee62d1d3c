//! Stores are read with the types and the kind with which they were declared; anything else is an error that says so.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Tested, driver, is_drained, wait_until};
use tidemill::{
    Consumed, Materialized, QueryError, SessionWindows, Streams, StreamsBuilder, StreamsConfig, TaskError, TimeWindows,
    processor::{Processor, ProcessorContext, Record},
    state::{BigEndian, BoxError, Json, Utf8},
    testing::TopologyTestDriver,
    transport::embedded::{EmbeddedLog, Entry},
};

const SECOND: Duration = Duration::from_secs(1);

/// Stores of each kind: `counts`, `per-second`, `visits`, `prices`, `totals` (JSON) and the global `names`.
fn stores() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, i64>("in");
    let grouped = stream.group_by_key();
    grouped.count("counts");
    grouped.windowed_by(TimeWindows::of_size_with_no_grace(SECOND)).count("per-second");
    grouped.windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(SECOND)).count("visits");
    stream.to_table(Materialized::named("prices").versioned(SECOND));
    grouped.reduce(Materialized::with("totals", Utf8, Json::<i64>::default()), |sum, cents| sum + cents);
    builder.global_table_with(Consumed::with("names-in", Utf8, Utf8), "names");
    builder
}

fn wrong<T>(answer: Result<T, QueryError>) -> String {
    match answer {
        Err(error @ QueryError::WrongStoreTypes(_)) => error.to_string(),
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it has an answer"),
    }
}

#[test]
fn a_query_with_other_types_or_of_another_kind_says_what_the_store_is() -> Tested {
    let log = EmbeddedLog::in_memory();
    log.create("in", 1)?;
    log.create("names-in", 1)?;
    log.append("in", 0, [Entry::new("ann", 7_i64.to_be_bytes().to_vec(), 0)])?;
    log.append("names-in", 0, [Entry::new("ann", "Ann", 0)])?;
    let config = StreamsConfig { poll_timeout: Duration::from_millis(5), ..StreamsConfig::new("app") };
    let streams = Streams::start(&stores().build()?, config, log.clone())?;
    wait_until("all is counted", || is_drained(&log, "app"));
    let ann = || "ann".to_owned();

    assert_eq!(
        wrong(streams.key_value_store::<String, u64>("counts").get(&ann())),
        "store 'counts' is a key-value store with keys of String (utf8) and values of i64 (i64): ask with \
         key_value_store::<String, i64> instead of key_value_store::<String, u64>"
    );
    assert_eq!(
        wrong(streams.window_store::<u64, i64>("per-second").fetch(&1, 0, 1)),
        "store 'per-second' is a window store with keys of String (utf8) and values of i64 (i64): ask with \
         window_store::<String, i64> instead of window_store::<u64, i64>"
    );
    assert_eq!(
        wrong(streams.key_value_store::<String, i64>("visits").all()),
        "store 'visits' is a session store with keys of String (utf8) and values of i64 (i64): ask with \
         session_store::<String, i64> instead of key_value_store::<String, i64>"
    );
    assert_eq!(
        wrong(streams.session_store::<String, bool>("prices").fetch(&ann())),
        "store 'prices' is a versioned store with keys of String (utf8) and values of i64 (i64): ask with \
         versioned_store::<String, i64> instead of session_store::<String, bool>"
    );
    wrong(streams.versioned_store::<String, String>("prices").get(&ann()));
    wrong(streams.versioned_store::<String, i64>("counts").history(&ann(), 0, 1));
    wrong(streams.session_store::<i64, i64>("visits").fetch_session(&1, 0, 0));
    wrong(streams.key_value_store::<String, i64>("names").all());
    wrong(streams.window_store::<String, String>("names").fetch(&ann(), 0, 1));
    let stale = streams.key_value_store::<String, u64>("counts").enable_stale_stores();
    wrong(stale.with_partition(0).page_of_keys(None, 1));
    let unknown = streams.key_value_store::<String, i64>("count").get(&ann());
    assert!(matches!(&unknown, Err(QueryError::UnknownStore(name)) if name == "count"), "{unknown:?}");

    // What fits is answered, with the codec of the store.
    wait_until("it answers", || streams.key_value_store::<String, i64>("counts").all().is_ok());
    assert_eq!(streams.key_value_store::<String, i64>("counts").get(&ann())?, Some(1));
    assert_eq!(streams.key_value_store::<String, i64>("totals").all()?, [(ann(), 7)]);
    assert_eq!(streams.key_value_store::<String, String>("totals").get(&ann())?.as_deref(), Some("7"), "as JSON");
    assert_eq!(streams.key_value_store::<String, Bytes>("totals").get(&ann())?.as_deref(), Some(&b"7"[..]));
    assert_eq!(streams.key_value_store::<Bytes, Option<i64>>("counts").get(&"ann".into())?, Some(Some(1)));
    assert_eq!(streams.key_value_store::<String, String>("names").get(&ann())?.as_deref(), Some("Ann"));
    assert_eq!(streams.session_store::<String, i64>("visits").fetch(&ann())?.len(), 1);
    assert_eq!(streams.window_store::<String, i64>("per-second").fetch(&ann(), 0, 1)?, [(0, 1)]);
    assert_eq!(streams.versioned_store::<String, i64>("prices").get(&ann())?.map(|found| found.value), Some(7));
    streams.close()?;
    Ok(())
}

#[test]
fn a_driver_gives_no_store_of_other_types_or_of_another_kind() -> Tested {
    let driver = driver(&stores());
    driver.input::<String, i64>("in").pipe("ann".into(), 7, 0)?;
    let wrong = |error: Option<TaskError>| match error {
        Some(error @ TaskError::WrongStoreTypes(_)) => error.to_string(),
        other => panic!("it must be wrong: {other:?}"),
    };
    let told = wrong(driver.key_value_store::<String, u64>("counts", 0).err());
    assert!(
        told.contains("ask with key_value_store::<String, i64> instead of key_value_store::<String, u64>"),
        "{told}"
    );
    wrong(driver.window_store::<String, i64>("counts", 0).err());
    wrong(driver.window_store::<i64, i64>("per-second", 0).err());
    wrong(driver.session_store::<String, String>("visits", 0).err());
    wrong(driver.versioned_store::<String, String>("prices", 0).err());
    wrong(driver.key_value_store::<String, i64>("prices", 0).err());
    wrong(driver.key_value_store::<String, i64>("names", 0).err());
    let unknown = driver.key_value_store::<String, i64>("count", 0).err();
    assert!(matches!(&unknown, Some(TaskError::UnknownStore(name)) if name == "count"), "{unknown:?}");
    assert!(driver.key_value_store::<String, i64>("counts", 1)?.is_none(), "there is no such partition");
    let totals = driver.key_value_store::<String, i64>("totals", 0)?.ok_or("it runs")?;
    assert_eq!(totals.get(&"ann".into())?, Some(7));
    Ok(())
}

/// Adds up what comes, as JSON, or asks for the sums as what they are not.
struct Sums {
    asks_wrongly: bool,
}

impl Processor<String, i64, String, i64> for Sums {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        if self.asks_wrongly {
            ctx.key_value_store::<String, String>("sums")?;
            ctx.key_value_store::<String, u64>("sums")?;
        }
        let sums = ctx.key_value_store::<String, i64>("sums")?;
        let sum = sums.get(&record.key)?.unwrap_or(0) + record.value;
        sums.put(&record.key, &sum, record.timestamp)?;
        ctx.forward(record.with_value(sum));
        Ok(())
    }
}

fn sums(asks_wrongly: bool) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    builder.add_key_value_store(Materialized::with("sums", Utf8, Json::<i64>::default()));
    let stream = builder.stream(Consumed::with("in", Utf8, BigEndian));
    stream.process("sum", &["sums"], move || Sums { asks_wrongly }).to("out");
    driver(&builder)
}

#[test]
fn a_processor_writes_with_the_codec_with_which_its_store_was_declared() -> Tested {
    let driver = sums(false);
    let input = driver.input::<String, i64>("in");
    input.pipe_all([("ann".into(), 7, 0), ("ann".into(), 5, 1)])?;
    assert_eq!(driver.output::<String, i64>("out").read_values()?, [7, 12]);
    let changelog = driver.log().read_all("test-sums-changelog")?;
    assert_eq!(changelog.last().and_then(|(_, record)| record.value.clone()).as_deref(), Some(&b"12"[..]));
    Ok(())
}

#[test]
fn a_processor_that_asks_for_other_types_fails_with_what_fits() {
    let failed = sums(true).input::<String, i64>("in").pipe("ann".into(), 7, 0).expect_err("the types do not fit");
    let told = failed.chain();
    assert!(
        told.contains("store 'sums' is a key-value store with keys of String (utf8) and values of i64 (json)"),
        "{told}"
    );
    assert!(
        told.contains("ask with key_value_store::<String, i64> instead of key_value_store::<String, u64>"),
        "{told}"
    );
}
