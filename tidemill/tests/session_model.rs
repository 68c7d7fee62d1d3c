//! Sessions compared with a naive model: lists of records, searched from the front.

mod common;

use std::{collections::BTreeMap, time::Duration};

use common::{driver, not_bad::NotBad};
use proptest::{collection::vec, prelude::*};
use tidemill::{
    EmitStrategy, RecordHandler, SessionWindows, StreamsBuilder, StreamsConfig, Window, Windowed,
    testing::{DriverOptions, TopologyTestDriver},
};

const GAP: i64 = 10;

/// A record: its key, its value, and its time.
type In = (String, String, i64);
/// A result: key, start, end and text.
type Out = (String, i64, i64, Option<String>);

/// A session of the model, with its records in the order in which it got them.
#[derive(Debug, Clone)]
struct Known {
    key: String,
    start: i64,
    end: i64,
    text: String,
    elements: Vec<(i64, String)>,
}

#[derive(Debug, Default)]
struct Model {
    /// Whether each key has a time of its own.
    by_key: bool,
    open: Vec<Known>,
    now: BTreeMap<String, i64>,
    updates: Vec<Out>,
    finals: Vec<Out>,
    lists: Vec<(String, i64, i64, Vec<String>)>,
    late: Vec<String>,
}

impl Model {
    fn take(&mut self, (key, value, at): &In, grace: i64) {
        let of = if self.by_key { key.clone() } else { String::new() };
        let now = self.now.entry(of).or_default();
        *now = (*now).max(*at);
        let open_from = *now - GAP - grace;
        let is_near = |session: &Known| {
            session.key == *key && session.end >= open_from && session.end >= at - GAP && session.start <= at + GAP
        };
        let mut near: Vec<_> = self.open.iter().filter(|session| is_near(session)).cloned().collect();
        near.sort_by_key(|session| (session.end, session.start));
        let start = near.iter().map(|session| session.start).chain([*at]).min().unwrap_or(*at);
        let end = near.iter().map(|session| session.end).chain([*at]).max().unwrap_or(*at);
        if end < open_from {
            self.late.push(value.clone());
        } else {
            self.open.retain(|session| !is_near(session));
            if start < end {
                let gone = near.iter().map(|session| (key.clone(), session.start, session.end, None));
                self.updates.extend(gone);
            }
            let text = near.iter().map(|session| &*session.text).chain([&**value]).collect::<String>();
            let elements = near.into_iter().flat_map(|session| session.elements);
            let elements = elements.chain([(*at, value.clone())]).collect();
            self.updates.push((key.clone(), start, end, Some(text.clone())));
            self.open.push(Known { key: key.clone(), start, end, text, elements });
        }
        self.open.sort_by_key(|session| (session.end, session.start, session.key.clone()));
        let by_key = self.by_key;
        let closes = |session: &mut Known| session.end < open_from && (!by_key || session.key == *key);
        for Known { key, start, end, text, mut elements } in self.open.extract_if(.., closes) {
            elements.sort_by_key(|(at, _)| *at);
            self.finals.push((key.clone(), start, end, Some(text)));
            self.lists.push((key, start, end, elements.into_iter().map(|(_, value)| value).collect()));
        }
    }
}

fn add(_: &String, value: String, text: &mut String) {
    text.push_str(&value);
}

fn merge(_: &String, one: String, other: String) -> String {
    one + &other
}

fn topology(grace: i64, by_key: bool) -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let of = |millis: i64| Duration::from_millis(millis.unsigned_abs());
    let windows = SessionWindows::of_inactivity_gap_and_grace(of(GAP), of(grace));
    let windows = if by_key { windows.event_time_by_key() } else { windows };
    let stream = builder.stream::<String, String>("in");
    let mut updates = stream.group_by_key().windowed_by(windows);
    updates.late_records().to("late");
    updates.aggregate("updates", String::new, add, merge).to_stream().to("updates-out");
    let finals = stream.group_by_key().windowed_by(windows).emit(EmitStrategy::on_window_close());
    finals.reduce("finals", |one, other| one + &other).to_stream().drop_null_values().to("finals-out");
    stream.group_by_key().windowed_by(windows).collect("lists").to("lists-out");
    stream.process("not-bad", &[], || NotBad).to("good");
    builder
}

fn skipping(builder: &StreamsBuilder) -> TopologyTestDriver {
    let config = StreamsConfig { processing_handler: RecordHandler::Skip, ..StreamsConfig::new("test") };
    let options = DriverOptions { config, ..DriverOptions::default() };
    TopologyTestDriver::with(&builder.build().expect("the topology is valid"), options).expect("the driver starts")
}

/// Records with times that go forward, and sometimes back.
fn records() -> impl Strategy<Value = Vec<(In, bool)>> {
    let record = (0..3_u8, 0..8_i64, 0..30_i64, prop::bool::weighted(0.15));
    vec(record, 1..60).prop_map(|records| {
        let mut now = 30;
        let record = |(number, (key, forward, back, crashes)): (usize, (u8, i64, i64, bool))| {
            now += forward;
            let at = if number % 3 == 0 { now - back } else { now };
            ((format!("k{key}"), format!("{number},"), at), crashes)
        };
        records.into_iter().enumerate().map(record).collect()
    })
}

fn flat<T>(
    (Windowed { key, window: Window { start, end } }, value, _): (Windowed<String>, T, i64),
) -> (String, i64, i64, T) {
    (key, start, end, value)
}

fn check(driver: &TopologyTestDriver, model: &Model) -> Result<(), TestCaseError> {
    let updates = driver.output::<Windowed<String>, Option<String>>("updates-out").read().expect("reads");
    prop_assert_eq!(updates.into_iter().map(flat).collect::<Vec<_>>(), &*model.updates);
    let finals = driver.output::<Windowed<String>, Option<String>>("finals-out").read().expect("reads");
    prop_assert_eq!(finals.into_iter().map(flat).collect::<Vec<_>>(), &*model.finals);
    let lists = driver.output::<Windowed<String>, Vec<String>>("lists-out").read().expect("reads");
    prop_assert_eq!(lists.into_iter().map(flat).collect::<Vec<_>>(), &*model.lists);
    prop_assert_eq!(&driver.output::<String, String>("late").read_values().expect("reads"), &model.late);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sessions_agree_with_the_model_also_after_crashes(records in records(), grace in 0..25_i64, by_key: bool) {
        let (driver, mut model) = (driver(&topology(grace, by_key)), Model { by_key, ..Model::default() });
        for (record, crashes) in records {
            model.take(&record, grace);
            let (key, value, at) = record;
            driver.input::<String, String>("in").pipe(key, value, at).expect("processes");
            if crashes {
                driver.crash();
            }
        }
        check(&driver, &model)?;
    }

    #[test]
    fn refused_records_leave_nothing(records in records(), grace in 0..25_i64, by_key: bool) {
        let (driver, mut model) = (skipping(&topology(grace, by_key)), Model { by_key, ..Model::default() });
        for ((key, value, at), refused) in records {
            if refused {
                // Far ahead, so that it would close everything.
                let refused = (key, format!("bad{value}"), at + 30);
                let (key, value, at) = refused;
                driver.input::<String, String>("in").pipe(key, value, at).expect("is left out");
                continue;
            }
            let record = (key, value, at);
            model.take(&record, grace);
            let (key, value, at) = record;
            driver.input::<String, String>("in").pipe(key, value, at).expect("processes");
        }
        check(&driver, &model)?;
    }
}
