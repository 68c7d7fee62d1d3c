//! Keys with a time of their own: one's clock is right, one's behind, one's ahead, one leaps by a day now and then, and
//! all of them fall silent in the end.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{
    Consumed, EmitStrategy, JoinWindows, KStream, ProcessingGuarantee, StreamsBuilder, TimeWindows, Windowed,
    testing::Simulator,
};

use super::scenario::{Ids, Input, Problem, Scenario, compare, place, read};

pub(crate) struct ByKey;

const IDLE: Duration = Duration::from_secs(20);
const DAY_MS: i64 = 86_400_000;

/// A key's time of a record: out of order by up to 30 ms, and wrong in the key's own way.
fn time_of(key: &str, id: i64) -> i64 {
    let time = (id ^ 3) * 10 + 100_000;
    match key {
        "key-1" => time - 60_000,
        "key-2" => time + 3_600_000,
        "key-3" if id % 7 == 0 => time + DAY_MS,
        _ => time,
    }
}

fn windows() -> TimeWindows {
    TimeWindows::of_size_and_grace(Duration::from_millis(100), Duration::from_millis(50)).event_time_by_key()
}

impl Scenario for ByKey {
    const TOPICS: &'static [&'static str] = &["in"];

    fn build(builder: &StreamsBuilder) {
        let timed = Consumed::<String, i64>::from("in").timestamp_from(|key, id| time_of(key, *id));
        let stream = builder.stream(timed);
        let emit = EmitStrategy::on_window_close().idle_after(IDLE);
        let windowed = |stream: &KStream<String, i64>| stream.group_by_key().windowed_by(windows()).emit(emit);
        windowed(&stream).collect("lists").to("lists-out");
        windowed(&stream).reduce("last", |_, last| last).to_stream().to("last-out");
        let (even, odd) = (stream.filter(|_, id| id % 2 == 0), stream.filter(|_, id| id % 2 != 0));
        let both = windowed(&even).cogroup(windowed(&odd)).collect("evens", "odds");
        both.map_values(|both| [both.left, both.right].concat()).to("both-out");
        let apart = JoinWindows::of_time_difference_and_grace(Duration::from_millis(30), Duration::from_millis(50));
        let apart = apart.event_time_by_key().idle_after(IDLE);
        let seen = |_: &String, one: Option<&i64>, other: Option<&i64>| {
            one.into_iter().chain(other).copied().collect::<Vec<_>>()
        };
        even.outer_join_stream(&odd, apart, "pairs", seen).to("pairs-out");
    }

    fn end(simulator: &mut Simulator) -> Result<(), Problem> {
        Ok(simulator.rest(2 * IDLE)?)
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let (mut expected, mut times) = (Ids::new(), BTreeMap::<&str, i64>::new());
        for Input { key, id, .. } in inputs {
            let time = time_of(key, *id);
            let now = times.entry(key).or_insert(-1);
            *now = (*now).max(time);
            let start = time / 100 * 100;
            if start + 150 > *now {
                expected.entry((key.clone(), start)).or_default().push(*id);
            }
        }
        for ids in expected.values_mut() {
            ids.sort_unstable();
        }
        for topic in ["lists-out", "both-out"] {
            let mut found = Ids::new();
            for (key, ids) in read::<Windowed<String>, Vec<i64>>(simulator, topic)? {
                if let Some(place) = place(&key) {
                    found.entry(place).or_default().extend(ids);
                }
            }
            compare(topic, guarantee, found, &expected)?;
        }
        let mut last = Ids::new();
        for (key, id) in read::<Windowed<String>, i64>(simulator, "last-out")? {
            if let Some(place) = place(&key) {
                last.entry(place).or_default().push(id);
            }
        }
        if guarantee == ProcessingGuarantee::ExactlyOnce {
            let finals = expected.iter().map(|(place, ids)| (place.clone(), ids[ids.len() - 1..].to_vec())).collect();
            compare("last", guarantee, last, &finals)?;
        }
        let mut seen = Ids::new();
        for (key, ids) in read::<String, Vec<i64>>(simulator, "pairs-out")? {
            seen.entry(key).or_default().extend(ids);
        }
        for (key, ids) in &mut seen {
            ids.sort_unstable();
            ids.dedup();
            let known = inputs.iter().any(|input| input.key == *key) || key.starts_with("closes");
            if !known {
                return Err(format!("pairs of '{key}', which no record has").into());
            }
        }
        // A record is in a pair, or comes out alone, unless it was late for its join.
        let mut times = BTreeMap::<&str, i64>::new();
        for Input { key, id, .. } in inputs {
            let now = times.entry(key).or_insert(-1);
            *now = (*now).max(time_of(key, *id));
            let on_time = time_of(key, *id) + 30 + 50 >= *now;
            let found = seen.get(key).is_some_and(|ids| ids.binary_search(id).is_ok());
            if found != on_time && (guarantee == ProcessingGuarantee::ExactlyOnce || on_time) {
                return Err(format!("record {id} of {key}: in a pair or alone {found}, expected {on_time}").into());
            }
        }
        Ok(())
    }
}
