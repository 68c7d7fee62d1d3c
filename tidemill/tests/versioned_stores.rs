//! Versioned stores of processors: history, restores, changelogs, refused records, erasures.

mod common;

use std::time::Duration;

use common::{Tested, driver, records};
use tidemill::{
    Materialized, RecordHandler, StreamsBuilder, StreamsConfig,
    processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord},
    state::{BoxError, VersionPut, VersionedRecord},
    testing::{DriverOptions, TestInputTopic, TopologyTestDriver},
    transport::CleanupPolicy,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// Puts `=7`, deletes for `x`, refuses `bad` after a put, and answers `?` with what was valid then.
struct Prices;

impl FixedKeyProcessor<String, String, String> for Prices {
    fn process(
        &mut self,
        ctx: &mut FixedKeyProcessorContext<'_, String, String>,
        record: FixedKeyRecord<String, String>,
    ) -> Result<(), BoxError> {
        let prices = ctx.versioned_store::<String, i64>("prices")?;
        match record.value.as_str() {
            "?" => {
                let found = prices.get_as_of(record.key(), record.timestamp)?;
                let found = found.map_or("nothing".to_owned(), |version| version.value.to_string());
                ctx.forward(record.with_value(found));
            }
            "x" => _ = prices.delete(record.key(), record.timestamp)?,
            "bad" => {
                prices.put(record.key(), &-1, record.timestamp)?;
                return Err("asked to refuse".into());
            }
            price => {
                let put = prices.put(record.key(), &price.parse()?, record.timestamp)?;
                if put == VersionPut::Expired {
                    ctx.forward(record.with_value("too late".to_owned()));
                }
            }
        }
        Ok(())
    }
}

fn prices() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    builder.add_versioned_store::<String, i64>(Materialized::named("prices").in_memory(), HOUR);
    builder.stream::<String, String>("in").process_values("process", &["prices"], || Prices).to("out");
    builder
}

fn pipe(input: &TestInputTopic<String, String>, records: &[(&str, &str, i64)]) -> Tested {
    Ok(input.pipe_all(records.iter().map(|(key, value, time)| ((*key).to_owned(), (*value).to_owned(), *time)))?)
}

#[test]
fn values_as_of_a_time_are_the_same_after_a_restore() -> Tested {
    let driver = driver(&prices());
    let input = driver.input::<String, String>("in");
    pipe(&input, &[("tea", "300", 1_000), ("tea", "250", 9_000), ("tea", "280", 5_000), ("tea", "x", 7_000)])?;
    let asked = [("tea", "?", 999), ("tea", "?", 4_999), ("tea", "?", 6_999), ("tea", "?", 8_999), ("tea", "?", 9_000)];
    let expected = ["nothing", "300", "280", "nothing", "250"];
    pipe(&input, &asked)?;
    let out = driver.output::<String, String>("out");
    assert_eq!(out.read_values()?, expected);
    driver.crash();
    pipe(&input, &asked)?;
    assert_eq!(out.read_values()?, expected);
    let store = driver.versioned_store::<String, i64>("prices", 0)?.ok_or("it runs")?;
    let latest = VersionedRecord { value: 250, timestamp: 9_000, valid_to: None };
    assert_eq!(store.history(&"tea".into(), 8_000, i64::MAX)?, [latest]);
    Ok(())
}

#[test]
fn the_time_before_a_restore_still_decides_what_comes_too_late() -> Tested {
    let driver = driver(&prices());
    let input = driver.input::<String, String>("in");
    pipe(&input, &[("tea", "300", 10_000_000)])?;
    driver.crash();
    pipe(&input, &[("jam", "1", 6_399_999), ("jam", "2", 6_400_000)])?;
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["too late"]);
    Ok(())
}

#[test]
fn the_changelog_has_plain_values_at_the_times_of_their_versions() -> Tested {
    let driver = driver(&prices());
    pipe(&driver.input("in"), &[("tea", "300", 1_000), ("tea", "250", 9_000), ("tea", "x", 5_000)])?;
    let changelog = records::<String, Option<i64>>(driver.log(), "test-prices-changelog");
    let times: Vec<_> =
        driver.log().read_all("test-prices-changelog")?.iter().map(|(_, record)| record.timestamp).collect();
    let values: Vec<_> = changelog.iter().map(|(_, key, value)| (key.as_str(), *value)).collect();
    // The last record of a key is always its latest version, for compaction.
    assert_eq!(values, [("tea", Some(300)), ("tea", Some(250)), ("tea", None), ("tea", Some(250))]);
    assert_eq!(times, [1_000, 9_000, 5_000, 9_000]);
    Ok(())
}

#[test]
fn the_changelog_is_compacted_only_behind_the_history() -> Tested {
    let driver = driver(&prices());
    let topics = driver.plan().internal_topics();
    let changelog = topics.iter().find(|topic| topic.is_changelog).ok_or("the store is logged")?;
    assert_eq!(changelog.spec.cleanup, CleanupPolicy::CompactAfter(HOUR + Duration::from_hours(24)));
    assert!(
        driver
            .plan()
            .describe()
            .contains("  store prices (versioned, history 3600000 ms, in memory, changelog: test-prices-changelog)\n")
    );
    let input = driver.input::<String, String>("in");
    pipe(&input, &[("tea", "300", 1_000), ("tea", "250", 9_000)])?;
    driver.log().maintain()?;
    driver.crash();
    pipe(&input, &[("tea", "?", 8_000)])?;
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["300"]);
    Ok(())
}

#[test]
fn a_refused_record_leaves_no_version_and_no_time() -> Tested {
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, ..DriverOptions::default() };
    let driver = TopologyTestDriver::with(&prices().build()?, options)?;
    let input = driver.input::<String, String>("in");
    pipe(&input, &[("tea", "300", 1_000), ("tea", "bad", 50_000_000), ("jam", "500", 2_000), ("tea", "?", 3_000)])?;
    assert_eq!(driver.output::<String, String>("out").read_values()?, ["300"]);
    let store = driver.versioned_store::<String, i64>("prices", 0)?.ok_or("it runs")?;
    assert_eq!(store.get(&"tea".into())?.map(|version| version.timestamp), Some(1_000));
    assert!(store.get(&"jam".into())?.is_some(), "2000 is not too late");
    Ok(())
}

#[test]
fn an_erased_key_has_no_versions_also_after_a_restore() -> Tested {
    let builder = prices();
    builder.stream::<String, String>("erase").erase("eraser", &["prices"]).map_values(|e| e.rows as i64).to("erased");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    pipe(&input, &[("tea", "300", 1_000), ("teapot", "900", 1_000), ("tea", "250", 9_000)])?;
    let erase = driver.input::<String, String>("erase");
    erase.pipe("tea".into(), "please".into(), 0)?;
    erase.pipe("tea".into(), "again".into(), 0)?;
    assert_eq!(driver.output::<String, i64>("erased").read_values()?, [2, 0]);
    let asked = [("tea", "?", 5_000), ("tea", "?", 9_500), ("teapot", "?", 5_000)];
    pipe(&input, &asked)?;
    driver.crash();
    pipe(&input, &asked)?;
    let expected = ["nothing", "nothing", "900", "nothing", "nothing", "900"];
    assert_eq!(driver.output::<String, String>("out").read_values()?, expected);
    let values = records::<String, Option<i64>>(driver.log(), "test-prices-changelog");
    let last = values.into_iter().rfind(|(_, key, _)| key == "tea").ok_or("it was there")?;
    assert_eq!(last.2, None, "compaction leaves no price of tea");
    Ok(())
}

#[test]
fn versions_are_not_read_as_plain_values() -> Tested {
    let kept = prices().build()?;
    let stores: Vec<_> = kept.stores().map(|store| store.format.fields().collect::<Vec<_>>()).collect();
    assert_eq!(stores, [[("key", "utf8"), ("operator", "process"), ("rows", "versions"), ("value", "i64")]]);
    Ok(())
}
