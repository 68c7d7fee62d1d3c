//! Transformers of a table's values.

mod common;

use common::{Tested, driver};
use tidemill::{
    KTable, RecordHandler, StreamsBuilder, StreamsConfig,
    processor::{ValueTransformerContext, ValueTransformerWithKey},
    state::BoxError,
    testing::{DriverOptions, TopologyTestDriver},
};

/// Appends key, value and the number of calls for the key. Refuses "bad".
struct Numbered;

impl ValueTransformerWithKey<String, String, String> for Numbered {
    fn transform(
        &mut self,
        ctx: &mut ValueTransformerContext<'_>,
        key: &String,
        value: Option<&String>,
    ) -> Result<Option<String>, BoxError> {
        let calls = ctx.key_value_store::<String, i64>("calls")?;
        let call = calls.get(key)?.unwrap_or(0) + 1;
        calls.put(key, &call, 0)?;
        if value.is_some_and(|value| value == "bad") {
            return Err("it is bad".into());
        }
        Ok(value.map(|value| format!("{key}{value}{call}")))
    }
}

/// The length of the value; nothing for an empty one.
struct Length;

impl ValueTransformerWithKey<String, String, i64> for Length {
    fn transform(
        &mut self,
        _: &mut ValueTransformerContext<'_>,
        _: &String,
        value: Option<&String>,
    ) -> Result<Option<i64>, BoxError> {
        Ok(value.map(|value| value.len() as i64).filter(|length| *length > 0))
    }
}

fn table(builder: &StreamsBuilder) -> KTable<String, String> {
    builder.table::<String, String>("in", "in")
}

fn numbered(builder: &StreamsBuilder) -> KTable<String, String> {
    builder.add_key_value_store::<String, i64>("calls");
    table(builder).transform_values("numbered", &["calls"], || Numbered)
}

fn set<'a>(driver: &TopologyTestDriver, key: &str, value: impl Into<Option<&'a str>>, at: i64) -> Tested {
    let value = value.into().map(ToOwned::to_owned);
    Ok(driver.input::<String, Option<String>>("in").pipe(key.into(), value, at)?)
}

fn updates(driver: &TopologyTestDriver) -> Vec<(Option<String>, i64)> {
    let all = driver.output::<String, Option<String>>("out").read().expect("reads");
    all.into_iter().map(|(_, value, at)| (value, at)).collect()
}

fn some(value: &str, at: i64) -> (Option<String>, i64) {
    (Some(value.to_owned()), at)
}

#[test]
fn a_transformer_sees_key_value_tombstones_and_its_store() -> Tested {
    let builder = StreamsBuilder::new();
    numbered(&builder).to_stream().to("out");
    let driver = driver(&builder);
    set(&driver, "k", "a", 1)?;
    set(&driver, "k", None, 2)?;
    driver.crash();
    set(&driver, "k", "b", 3)?;
    assert_eq!(updates(&driver), [some("ka1", 1), (None, 2), some("kb3", 3)]);
    Ok(())
}

#[test]
fn a_group_of_transformed_values_takes_the_old_ones_away() -> Tested {
    let builder = StreamsBuilder::new();
    let lengths = table(&builder).transform_values("length", &[], || Length);
    let sums = lengths.group_by("all", |_, length| ("all".to_owned(), length));
    sums.reduce("sum", |all, length| all + length, |all, length| all - length);
    let driver = driver(&builder);
    set(&driver, "a", "four", 1)?;
    set(&driver, "b", "sevenly", 2)?;
    set(&driver, "a", "tw", 3)?;
    set(&driver, "b", "", 4)?;
    assert_eq!(driver.key_value_store::<String, i64>("sum", 0)?.expect("it runs").get(&"all".into())?, Some(2));
    set(&driver, "a", None, 5)?;
    assert_eq!(driver.key_value_store::<String, i64>("sum", 0)?.expect("it runs").get(&"all".into())?, Some(0));
    Ok(())
}

#[test]
fn a_join_transforms_again_unless_the_result_is_materialized() -> Tested {
    for (is_kept, expected) in [(false, ["ka2", "ka3"]), (true, ["ka1", "ka1"])] {
        let builder = StreamsBuilder::new();
        let numbered = numbered(&builder);
        let numbered = if is_kept { numbered.materialized("kept") } else { numbered };
        builder.stream::<String, String>("clicks").join(&numbered, |_, _, value| Some(value)).to("out");
        let driver = driver(&builder);
        set(&driver, "k", "a", 1)?;
        let clicks = driver.input::<String, String>("clicks");
        clicks.pipe_all([("k".into(), "x".into(), 2), ("other".into(), "x".into(), 2), ("k".into(), "x".into(), 3)])?;
        assert_eq!(updates(&driver), [some(expected[0], 2), some(expected[1], 3)]);
    }
    Ok(())
}

#[test]
fn a_materialized_result_has_the_old_values_of_its_store() -> Tested {
    let builder = StreamsBuilder::new();
    let kept = numbered(&builder).materialized("kept");
    let groups = kept.group_by("by-value", |_, value| (value, 1_i64));
    groups.count("counts");
    let driver = driver(&builder);
    set(&driver, "k", "a", 1)?;
    set(&driver, "k", "b", 2)?;
    let counts = driver.key_value_store::<String, i64>("counts", 0)?.expect("it runs").all();
    let counts = counts.collect::<Result<Vec<_>, _>>()?;
    assert_eq!(counts, [("ka1".to_owned(), 0), ("kb2".to_owned(), 1)], "each update is transformed once");
    Ok(())
}

#[test]
fn a_refused_value_leaves_nothing_in_the_stores() -> Tested {
    let builder = StreamsBuilder::new();
    numbered(&builder).to_stream().to("out");
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let driver = TopologyTestDriver::with(&builder.build()?, DriverOptions { config, ..DriverOptions::default() })?;
    set(&driver, "k", "a", 1)?;
    set(&driver, "k", "bad", 2)?;
    set(&driver, "k", "b", 3)?;
    assert_eq!(updates(&driver), [some("ka1", 1), some("kb2", 3)]);
    Ok(())
}

#[test]
fn a_store_that_does_not_exist_is_a_problem() {
    let builder = StreamsBuilder::new();
    table(&builder).transform_values::<String, _>("numbered", &["calls"], || Numbered);
    let problems = builder.build().expect_err("the store is missing").problems().to_vec();
    assert!(problems[0].contains("'numbered' asks for store 'calls', which does not exist"), "{problems:?}");
}
