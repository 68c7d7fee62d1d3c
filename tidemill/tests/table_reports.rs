//! What users of stream processors have reported of tables and their stores, tried here in small.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{Tested, driver, in_and_out, is_drained, records, wait_until};
use tidemill::{
    BufferConfig, Materialized, SessionWindows, Streams, StreamsBuilder, StreamsConfig, StreamsState, Suppressed,
    Windowed,
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
    testing::TopologyTestDriver,
    transport::embedded::Entry,
};

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// A record that changes a table fails in the group below it. The next start takes it again, and the group takes away
/// what it has added, and nothing else.
#[test]
fn a_group_is_right_after_its_functions_have_failed() -> Tested {
    let log = in_and_out(1);
    let number = |key: &str, value: i64| Entry::new(key.to_owned(), value.to_be_bytes().to_vec(), 0);
    log.append("in", 0, [number("a", 5), number("b", 1), number("a", 7), number("b", 2)])?;
    for (refuses_to_add, refuses_to_take) in [(Some(7), None), (None, Some(5)), (None, None)] {
        let add = move |sum: i64, new| {
            assert_ne!(Some(new), refuses_to_add, "it is not added");
            sum + new
        };
        let take = move |sum: i64, old| {
            assert_ne!(Some(old), refuses_to_take, "it is not taken away");
            sum - old
        };
        let builder = StreamsBuilder::new();
        let table = builder.table::<String, i64>("in", "table");
        table.group_by("all", |_, value| ("all".to_owned(), value)).reduce("sum", add, take).to_stream().to("out");
        let config = StreamsConfig { commit_interval: ms(1), poll_timeout: ms(2), ..StreamsConfig::new("app") };
        let streams = Streams::start(&builder.build()?, config, log.clone())?;
        let fails = refuses_to_add.or(refuses_to_take).is_some();
        wait_until("all is processed, or it fails", || {
            if fails { streams.state() == StreamsState::Error } else { is_drained(&log, "app") }
        });
        assert_eq!(streams.close().is_err(), fails);
    }
    let sums = records::<String, Option<i64>>(&log, "out");
    assert_eq!(sums.last(), Some(&(0, "all".to_owned(), Some(9))));
    Ok(())
}

/// Deletes what it meets, one row ahead of itself, and a row behind the last.
struct Sweep;

impl Processor<String, String, String, String> for Sweep {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        let rows = ctx.key_value_store::<String, String>("rows")?;
        if record.key != "sweep" {
            return Ok(rows.put(&record.key, &record.value, record.timestamp)?);
        }
        for row in rows.all() {
            let (key, value) = row?;
            rows.delete(&key)?;
            rows.delete(&"3".to_owned())?;
            rows.put(&"5".to_owned(), &"new".to_owned(), record.timestamp)?;
            ctx.forward(Record::new(key, value, record.timestamp));
        }
        Ok(())
    }
}

/// An iterator shows no row that was deleted ahead of it, committed or not.
#[test]
fn rows_that_are_deleted_while_a_processor_reads_them_are_not_shown() -> Tested {
    let builder = StreamsBuilder::new();
    builder.add_key_value_store::<String, String>("rows");
    builder.stream::<String, String>("in").process("sweep", &["rows"], || Sweep).to("out");
    let driver = driver(&builder);
    let input = driver.input::<String, String>("in");
    input.pipe_all((0..5).map(|number| (number.to_string(), "old".to_owned(), number)))?;
    input.enqueue("4a".into(), "old".into(), 6)?;
    input.enqueue("sweep".into(), String::new(), 7)?;
    driver.status()?;
    let shown = driver.output::<String, String>("out").read()?;
    let shown: Vec<_> = shown.iter().map(|(key, value, _)| format!("{key} {value}")).collect();
    assert_eq!(shown, ["0 old", "1 old", "2 old", "4 old", "4a old", "5 new"]);
    let left = driver.key_value_store::<String, String>("rows", 0)?.ok_or("it runs")?.all().read_all()?;
    assert_eq!(left, [("5".to_owned(), "new".to_owned())]);
    Ok(())
}

/// Two streams have common sessions, whichever was named first and whichever has the first record.
#[test]
fn the_order_of_streams_does_not_matter_for_their_common_sessions() -> Tested {
    let sorted = |text: String| -> String {
        let mut letters: Vec<_> = text.chars().collect();
        letters.sort_unstable();
        letters.into_iter().collect()
    };
    let add = move |_: &String, letter: String, all: &mut String| *all = sorted(all.clone() + &letter);
    for (names, first) in [(["a", "b"], 0), (["a", "b"], 1), (["b", "a"], 0), (["b", "a"], 1)] {
        let builder = StreamsBuilder::new();
        let [one, two] = names.map(|topic| builder.stream::<String, String>(topic).group_by_key());
        let sessions = SessionWindows::of_inactivity_gap_with_no_grace(ms(60));
        let together = one.cogroup(add).cogroup(&two, add).windowed_by(sessions);
        together.aggregate("sessions", String::new, move |_, one, two| sorted(one + &two)).to_stream().to("out");
        let driver = driver(&builder);
        for (number, at) in [(first, 10), (1 - first, 11), (first, 200), (1 - first, 150)] {
            driver.input::<String, String>(names[number]).pipe("k".into(), names[number].to_owned(), at)?;
        }
        let mut last = BTreeMap::new();
        for (key, letters, _) in driver.output::<Windowed<String>, Option<String>>("out").read()? {
            last.insert((key.window.start, key.window.end), letters);
        }
        last.retain(|_, letters| letters.is_some());
        assert_eq!(last, [((10, 11), Some("ab".to_owned())), ((150, 200), Some("ab".to_owned()))].into());
    }
    Ok(())
}

/// The last values of a topic of updates.
fn last_of(driver: &TopologyTestDriver, topic: &str) -> Tested<BTreeMap<String, Option<String>>> {
    let mut last = BTreeMap::new();
    for (key, value, _) in driver.output::<String, Option<String>>(topic).read()? {
        last.insert(key, value);
    }
    last.retain(|_, value| value.is_some());
    Ok(last)
}

/// Filters, joins, foreign keys, groups and suppression of two tables that change at random: what they end with.
fn pipeline(cache_max_bytes: Option<usize>, crashes: bool) -> Tested<Vec<BTreeMap<String, Option<String>>>> {
    let builder = StreamsBuilder::new();
    let kept = |name: &str| -> Materialized<String, String> {
        let kept = Materialized::named(name);
        cache_max_bytes.map_or(Materialized::named(name), |bytes| kept.cache_max_bytes(bytes))
    };
    let left = builder.table::<String, String>("left", kept("left"));
    let right = builder.table::<String, String>("right", kept("right"));
    let both = |_: &String, one: Option<String>, two: Option<String>| format!("{one:?} {two:?}");
    let passing = left.filter(|_, value| !value.ends_with('3'));
    let joined = passing.outer_join(&right.map_values(|value| value + "!"), both).materialized(kept("joined"));
    let named = |_: &String, one: String, two: Option<String>| format!("{one} {two:?}");
    let digit = |_: &String, value: &String| value.get(..1).filter(|digit| *digit != "0").map(str::to_owned);
    let foreign = left.left_join_foreign_key(&right, "foreign", digit, named).materialized(kept("results"));
    let calm = Suppressed::until_time_limit(ms(3), BufferConfig::max_records(4).emit_early_when_full());
    foreign.suppress("calm", calm).to_stream().to("calm");
    let lengths = joined.group_by("by-length", |_, value: String| (value.len().to_string(), 1_i64));
    let count = |_: &String, one: i64, all: &mut i64| *all += one;
    let uncount = |_: &String, one: i64, all: &mut i64| *all -= one;
    lengths.aggregate("lengths", || 0, count, uncount).map_values(|all| all.to_string()).to_stream().to("lengths");
    joined.to_stream().to("joined");

    let driver = driver(&builder);
    let mut random = 7_u64;
    for time in 0..250_i64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn = random >> 33;
        let value = (!(drawn >> 8).is_multiple_of(5)).then(|| ((drawn >> 12) % 90).to_string());
        let topic = if (drawn >> 20).is_multiple_of(3) { "right" } else { "left" };
        driver.input::<String, Option<String>>(topic).enqueue((drawn % 12).to_string(), value, time)?;
        if drawn.is_multiple_of(7) {
            driver.status()?;
        }
        if crashes && drawn.is_multiple_of(31) {
            driver.crash();
        }
    }
    for (topic, time) in [("left", 1_000), ("left", 2_000)] {
        driver.input::<String, Option<String>>(topic).pipe("end".into(), Some("1".into()), time)?;
    }
    let mut ends =
        ["joined", "calm", "lengths"].map(|topic| last_of(&driver, topic)).into_iter().collect::<Tested<Vec<_>>>()?;
    ends[1].remove("end");
    ends[2].retain(|_, count| count.as_deref() != Some("0"));
    let mut lengths = BTreeMap::<_, usize>::new();
    for value in ends[0].values().flatten() {
        *lengths.entry(value.len().to_string()).or_default() += 1;
    }
    let lengths: BTreeMap<_, _> =
        lengths.into_iter().map(|(length, count)| (length, Some(count.to_string()))).collect();
    assert_eq!(ends[2], lengths, "the groups have what their table has");
    Ok(ends)
}

/// Caches and crashes change which updates are seen, but not where they lead.
#[test]
fn tables_end_with_the_same_values_with_caches_and_crashes() -> Tested {
    let expected = pipeline(None, false)?;
    assert!(expected.iter().all(|end| end.len() > 4), "{expected:?}");
    for (cache_max_bytes, crashes) in [(None, true), (Some(0), false), (Some(600), true), (Some(1 << 20), true)] {
        assert_eq!(pipeline(cache_max_bytes, crashes)?, expected, "{cache_max_bytes:?} {crashes}");
    }
    Ok(())
}
