//! Tables of sessions: groups, joins, suppression and cogroups see each session once.

mod common;

use std::time::Duration;

use common::{Tested, driver, windowed};
use tidemill::{
    BufferConfig, EmitStrategy, KTable, SessionWindows, StreamsBuilder, Suppressed, Windowed,
    testing::TopologyTestDriver,
};

type Key = Windowed<String>;

fn ms(gap: u64, grace: u64) -> SessionWindows {
    SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(gap), Duration::from_millis(grace))
}

fn counts(builder: &StreamsBuilder) -> KTable<Key, i64> {
    builder.stream::<String, i64>("in").group_by_key().windowed_by(ms(10, 50)).count("counts")
}

fn pipe(driver: &TopologyTestDriver, records: &[(&str, i64)]) -> Tested {
    let records = records.iter().map(|(key, time)| ((*key).to_owned(), 1, *time));
    Ok(driver.input::<String, i64>("in").pipe_all(records)?)
}

#[test]
fn a_group_of_a_table_of_sessions_takes_away_what_merged_or_was_overwritten() -> Tested {
    let builder = StreamsBuilder::new();
    let by_key = counts(&builder).group_by("by-key", |at, count| (at.key.clone(), count));
    by_key.aggregate(
        "totals",
        || (0, 0),
        |_, n, (sessions, sum)| (*sessions, *sum) = (*sessions + 1, *sum + n),
        |_, n, all| {
            let (sessions, sum): &mut (i64, i64) = all;
            (*sessions, *sum) = (*sessions - 1, *sum - n);
        },
    );
    let driver = driver(&builder);
    let totals = || -> Tested<Option<(i64, i64)>> {
        let store = driver.key_value_store::<String, (i64, i64)>("totals", 0)?.ok_or("it is there")?;
        Ok(store.get(&"a".into())?)
    };
    pipe(&driver, &[("a", 20), ("a", 20), ("a", 20)])?;
    assert_eq!(totals()?, Some((1, 3)), "one session, overwritten twice");
    pipe(&driver, &[("a", 40), ("b", 41)])?;
    assert_eq!(totals()?, Some((2, 4)));
    pipe(&driver, &[("a", 30)])?;
    assert_eq!(totals()?, Some((1, 5)));
    Ok(())
}

#[test]
fn a_suppressed_table_of_sessions_has_the_final_results() -> Tested {
    let builder = StreamsBuilder::new();
    let counts = counts(&builder);
    let finals = counts.suppress("finals", Suppressed::until_window_closes(BufferConfig::unbounded()));
    finals.to_stream().drop_null_values().to("suppressed");
    let again = builder.stream::<String, i64>("in").group_by_key().windowed_by(ms(10, 50));
    again.emit(EmitStrategy::on_window_close()).count("closed").to_stream().drop_null_values().to("closed-out");
    let driver = driver(&builder);
    let out = |topic| driver.output::<Key, i64>(topic).read();
    pipe(&driver, &[("a", 0), ("a", 20), ("b", 60), ("a", 10), ("b", 80)])?;
    assert_eq!(out("suppressed")?, [], "at 80 a session that ended at 20 is open");
    pipe(&driver, &[("a", 15), ("b", 81)])?;
    assert_eq!(out("suppressed")?, [(windowed("a", 0, 20), 4, 20)]);
    assert_eq!(out("closed-out")?, out("suppressed")?);
    Ok(())
}

#[test]
fn streams_of_a_cogroup_make_sessions_together() -> Tested {
    let builder = StreamsBuilder::new();
    let texts = builder.stream::<String, String>("texts").group_by_key();
    let numbers = builder.stream::<String, i64>("in").group_by_key();
    let both = texts.cogroup(|_, text, all: &mut String| all.push_str(&text));
    let both = both.cogroup(&numbers, |_, number, all| all.push_str(&number.to_string()));
    let sessions = both.windowed_by(ms(10, 0)).emit(EmitStrategy::on_window_close());
    sessions.aggregate("both", String::new, |_, one, other| one + &other).to_stream().drop_null_values().to("out");
    let driver = driver(&builder);
    let texts = driver.input::<String, String>("texts");
    for time in [0, 20] {
        texts.pipe("a".into(), "x".into(), time)?;
        pipe(&driver, &[("a", time + 10)])?;
        driver.crash();
    }
    texts.pipe("b".into(), "closes".into(), 100)?;
    texts.pipe("a".into(), "late".into(), 30)?;
    assert_eq!(driver.output::<Key, String>("out").read()?, [(windowed("a", 0, 30), "x1x1".into(), 30)]);
    let dropped = &driver.status()?.tasks[0].records_dropped;
    assert_eq!(*dropped, [("both-input-1".to_owned(), "late", 1)]);
    Ok(())
}
