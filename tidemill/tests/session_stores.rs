//! The stores of sessions: their rows, their changelogs, what erases them, and what processors keep in them.

mod common;

use std::time::Duration;

use common::{Tested, driver, strings, windowed};
use tidemill::{
    Consumed, EmitStrategy, Erased, KStream, Materialized, Produced, SessionWindowedCodec, SessionWindows,
    StreamsBuilder, Windowed,
    processor::{Processor, ProcessorContext, Record},
    state::{BigEndian, BoxError, Codec, Session, Utf8},
    testing::TopologyTestDriver,
    transport::embedded::Entry,
};

type Key = Windowed<String>;

const ON_CLOSE: EmitStrategy = EmitStrategy::on_window_close();

fn ms(gap: u64, grace: u64) -> SessionWindows {
    SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(gap), Duration::from_millis(grace))
}

fn texts(builder: &StreamsBuilder) -> KStream<String, String> {
    builder.stream::<String, String>("in")
}

fn pipe(driver: &TopologyTestDriver, records: &[(&str, &str, i64)]) -> Tested {
    let records = records.iter().map(|(key, value, time)| ((*key).to_owned(), (*value).to_owned(), *time));
    Ok(driver.input::<String, String>("in").pipe_all(records)?)
}

fn collecting(kept_ms: u64) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let lists = Materialized::named("lists").retention(Duration::from_millis(kept_ms));
    texts(&builder).group_by_key().windowed_by(ms(10, 20)).collect(lists).to("lists-out");
    driver(&builder)
}

#[test]
fn a_collected_session_has_its_elements_by_time_whatever_merged_it() -> Tested {
    let driver = collecting(30);
    pipe(&driver, &[("a", "4", 40), ("a", "1", 21), ("b", "x", 30), ("a", "3", 31), ("a", "2", 21), ("a", "5", 40)])?;
    driver.crash();
    pipe(&driver, &[("a", "6", 40), ("z", "closes", 1_000)])?;
    let lists = driver.output::<Key, Vec<String>>("lists-out").read()?;
    let of_a = strings(&["1", "2", "3", "4", "5", "6"]);
    assert_eq!(lists, [(windowed("b", 30, 30), strings(&["x"]), 30), (windowed("a", 21, 40), of_a, 40)]);
    assert_eq!(driver.session_store::<String, i64>("lists", 0)?.ok_or("it is there")?.fetch(&"a".into()).count(), 0);
    Ok(())
}

#[test]
fn each_element_costs_one_changelog_record_however_long_the_list() -> Tested {
    let driver = collecting(1_000);
    for number in 0..100 {
        pipe(&driver, &[("a", "some text", number)])?;
    }
    let elements = driver.log().read_all("test-lists-elements-changelog")?;
    assert_eq!(elements.len(), 100);
    pipe(&driver, &[("b", "closes", 500)])?;
    let stored = driver.session_store::<String, i64>("lists", 0)?.ok_or("it is there")?;
    assert_eq!(
        stored.fetch(&"a".into()).read_all()?,
        [(Session { start: 0, end: 99 }, 100)],
        "kept for queries: the count"
    );
    let elements = driver.session_store::<String, String>("lists-elements", 0)?.ok_or("it is there")?;
    assert_eq!(elements.all().count(), 1, "the elements of the open session of b");
    Ok(())
}

#[test]
fn a_session_that_grows_between_commits_leaves_one_changelog_record() -> Tested {
    let builder = StreamsBuilder::new();
    texts(&builder).group_by_key().windowed_by(ms(10, 0)).count("counts");
    let driver = driver(&builder);
    let records = (0..100).map(|time| Entry::new("a", "x", time));
    driver.log().append("in", 0, records)?;
    driver.status()?;
    let keys = driver.log().read_all("test-counts-changelog")?.into_iter();
    let rows: Vec<_> = keys.filter_map(|(_, record)| record.key).filter(|key| key.len() > 12).collect();
    assert_eq!(rows, [[&b"a"[..], &99_i64.to_be_bytes(), &0_i64.to_be_bytes()].concat()], "key, end, start as in Java");
    Ok(())
}

#[test]
fn an_erased_key_leaves_nothing_and_begins_anew() -> Tested {
    erases(ms(10, 0), &[(windowed("anna", 1, 1), 1, 1), (windowed("ann", 5, 5), 1, 5)])
}

#[test]
fn an_erased_key_with_a_time_of_its_own_leaves_nothing_and_begins_anew() -> Tested {
    erases(ms(10, 0).event_time_by_key(), &[(windowed("ann", 5, 5), 1, 5)])
}

fn erases(windows: SessionWindows, expected: &[(Key, i64, i64)]) -> Tested {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    let windowed_stream = || stream.group_by_key().windowed_by(windows).emit(ON_CLOSE);
    windowed_stream().count("counts").to_stream().to("counts-out");
    windowed_stream().collect("lists").to("lists-out");
    let told = |Erased { rows, .. }: Erased<()>| rows as i64;
    builder.stream::<String, ()>("forget").erase("forgets", &["counts", "lists"]).map_values(told).to("forgotten");
    let driver = driver(&builder);
    pipe(&driver, &[("ann", "1", 1), ("anna", "1", 1), ("ann", "2", 2)])?;
    driver.input::<String, ()>("forget").pipe("ann".into(), (), 2)?;
    assert_eq!(driver.output::<String, i64>("forgotten").read_values()?, [1 + 1 + 2]);
    pipe(&driver, &[("ann", "3", 5), ("ann", "4", 100)])?;
    assert_eq!(driver.output::<Key, i64>("counts-out").read()?, expected);
    let lists = driver.output::<Key, Vec<String>>("lists-out").read()?;
    assert_eq!(lists.iter().map(|(key, list, _)| (key, list.len() as i64)).collect::<Vec<_>>(), {
        expected.iter().map(|(key, count, _)| (key, *count)).collect::<Vec<_>>()
    });
    assert_eq!(lists.last().map(|(_, list, _)| list.clone()), Some(strings(&["3"])));
    Ok(())
}

#[test]
fn a_topic_of_sessions_has_the_bytes_of_java() -> Tested {
    let builder = StreamsBuilder::new();
    let counts = texts(&builder)
        .group_by_key()
        .windowed_by(ms(10, 0))
        .emit(ON_CLOSE)
        .count("counts")
        .to_stream()
        .drop_null_values();
    counts.to(Produced::with("out", SessionWindowedCodec::new(Utf8), BigEndian));
    let back = Consumed::with("out", SessionWindowedCodec::new(Utf8), BigEndian);
    let read: KStream<Key, i64> = builder.stream(back);
    read.to("back");
    let driver = driver(&builder);
    pipe(&driver, &[("a", "1", 1), ("a", "2", 2), ("a", "3", 100)])?;
    let key = driver.log().read_all("out")?.remove(0).1.key.ok_or("it has a key")?;
    assert_eq!(key, [&b"a"[..], &2_i64.to_be_bytes(), &1_i64.to_be_bytes()].concat());
    assert_eq!(driver.output::<Key, i64>("back").read()?, [(windowed("a", 1, 2), 2, 2)]);
    assert!(SessionWindowedCodec::new(Utf8).decode("too short".into()).is_err());
    Ok(())
}

/// Keeps each record as a session.
struct Keeps;

impl Processor<String, String, String, i64> for Keeps {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, i64>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        let store = ctx.session_store::<String, String>("kept")?;
        assert!(ctx.window_store::<String, String>("kept").is_err_and(|error| error.to_string().contains("session")));
        store.put(&record.key, record.timestamp, record.timestamp, &record.value)?;
        let found = store.fetch(&record.key).count() as i64;
        ctx.forward(Record { key: record.key, value: found, timestamp: record.timestamp, headers: record.headers });
        Ok(())
    }
}

#[test]
fn a_processors_session_store_forgets_what_its_retention_does_not_keep() -> Tested {
    let builder = StreamsBuilder::new();
    builder.add_session_store::<String, String>("kept", Duration::from_millis(10));
    builder.stream::<String, String>("in").process("keeps", &["kept"], || Keeps).to("found");
    let driver = driver(&builder);
    pipe(&driver, &[("a", "1", 0), ("a", "2", 5)])?;
    driver.crash();
    pipe(&driver, &[("a", "3", 9)])?;
    assert_eq!(driver.output::<String, i64>("found").read_values()?, [1, 2, 3]);
    pipe(&driver, &[("a", "4", 12), ("a", "5", 13)])?;
    assert_eq!(driver.output::<String, i64>("found").read_values()?.last(), Some(&4));
    Ok(())
}
