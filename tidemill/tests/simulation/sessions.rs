//! Sessions of one stream: a count with final results, and a collected list.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{EmitStrategy, ProcessingGuarantee, SessionWindows, StreamsBuilder, Windowed, testing::Simulator};

use super::scenario::{Ids, Input, Problem, Scenario, compare, place, read};

pub(crate) const GAP: i64 = 30;

pub(crate) struct Sessions;

/// The ids of each session by its key and start. Sessions are open for longer than timestamps are out of order, so the
/// order of the input does not count.
pub(crate) fn sessions(inputs: &[Input]) -> Ids<(String, i64)> {
    let mut by_time: Vec<_> = inputs.iter().collect();
    by_time.sort_by_key(|input| (&input.key, input.timestamp));
    let mut sessions = Ids::new();
    let mut last: Option<(&str, i64, i64)> = None;
    for input in by_time {
        let start = match last {
            Some((key, start, end)) if key == input.key && input.timestamp <= end + GAP => start,
            _ => input.timestamp,
        };
        last = Some((&input.key, start, input.timestamp));
        sessions.entry((input.key.clone(), start)).or_default().push(input.id);
    }
    for ids in sessions.values_mut() {
        ids.sort_unstable();
    }
    sessions
}

impl Scenario for Sessions {
    const TOPICS: &'static [&'static str] = &["in"];

    fn build(builder: &StreamsBuilder) {
        let stream = builder.stream::<String, i64>("in");
        let of = |millis: i64| Duration::from_millis(millis.unsigned_abs());
        let windows = SessionWindows::of_inactivity_gap_and_grace(of(GAP), of(100));
        let windowed = || stream.group_by_key().windowed_by(windows).emit(EmitStrategy::on_window_close());
        windowed().count("counts").to_stream().drop_null_values().to("counts-out");
        windowed().collect("lists").to("lists-out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let expected = sessions(inputs);
        let mut lists = BTreeMap::new();
        for (key, list) in read::<Windowed<String>, Vec<i64>>(simulator, "lists-out")? {
            if let Some(place) = place(&key) {
                let known: &mut Vec<i64> = lists.entry(place).or_default();
                known.extend(list);
            }
        }
        compare("lists", guarantee, lists, &expected)?;

        let mut counts = BTreeMap::<_, Vec<i64>>::new();
        for (key, count) in read::<Windowed<String>, i64>(simulator, "counts-out")? {
            if let Some(place) = place(&key) {
                counts.entry(place).or_default().push(count);
            }
        }
        for (place, ids) in &expected {
            let (found, count) = (counts.remove(place).unwrap_or_default(), ids.len() as i64);
            let right = match guarantee {
                ProcessingGuarantee::ExactlyOnce => found == [count],
                ProcessingGuarantee::AtLeastOnce => found.iter().any(|found| *found >= count),
            };
            if !right {
                return Err(format!("count of {place:?}: found {found:?}, expected {count}").into());
            }
        }
        if counts.is_empty() { Ok(()) } else { Err(format!("counts made up: {counts:?}").into()) }
    }
}
