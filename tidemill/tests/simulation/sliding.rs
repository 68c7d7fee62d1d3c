//! Sliding windows with final results, whose records come out of order.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{EmitStrategy, ProcessingGuarantee, SlidingWindows, StreamsBuilder, Windowed, testing::Simulator};

use super::scenario::{Ids, Input, Problem, Scenario, compare, place, read};

pub(crate) struct Sliding;

pub(crate) const DIFFERENCE_MS: i64 = 60;

impl Scenario for Sliding {
    const TOPICS: &'static [&'static str] = &["in"];

    fn build(builder: &StreamsBuilder) {
        let windows = SlidingWindows::of_time_difference_and_grace(
            Duration::from_millis(DIFFERENCE_MS.unsigned_abs()),
            Duration::from_millis(100),
        );
        let stream = builder.stream::<String, i64>("in");
        let windowed = || stream.group_by_key().windowed_by(windows).emit(EmitStrategy::on_window_close());
        windowed().aggregate("lists", Vec::new, |_, id, list: &mut Vec<i64>| list.push(id)).to_stream().to("lists-out");
        stream.group_by_key().windowed_by(windows).count("counts").to_stream().to("counts-out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let expected = by_definition(inputs);
        let mut found = Ids::new();
        for (key, list) in read::<Windowed<String>, Vec<i64>>(simulator, "lists-out")? {
            if let Some(place) = place(&key) {
                found.entry(place).or_default().extend(list);
            }
        }
        let mut last = BTreeMap::new();
        for (key, count) in read::<Windowed<String>, i64>(simulator, "counts-out")? {
            if let Some(place) = place(&key) {
                last.insert(place, count);
            }
        }
        if guarantee == ProcessingGuarantee::AtLeastOnce {
            return each_is_somewhere(inputs, &found);
        }
        let counts = expected.iter().map(|(place, ids)| (place.clone(), ids.len() as i64)).collect::<BTreeMap<_, _>>();
        compare("windows", guarantee, found, &expected)?;
        if last == counts { Ok(()) } else { Err(format!("counts {last:?}, expected {counts:?}").into()) }
    }
}

/// With at-least-once, a task may begin again with windows of which some are newer than others. New windows build on them.
/// So not each window is as it should be, but no record is lost.
pub(crate) fn each_is_somewhere(inputs: &[Input], found: &Ids<(String, i64)>) -> Result<(), Problem> {
    let held = |input: &Input| found.iter().any(|((key, _), ids)| *key == input.key && ids.contains(&input.id));
    match inputs.iter().find(|input| !held(input)) {
        Some(lost) => Err(format!("{lost:?} is in no window").into()),
        None => Ok(()),
    }
}

/// One window ends with each record, and one begins behind it, if it is not empty.
pub(crate) fn by_definition(inputs: &[Input]) -> Ids<(String, i64)> {
    let mut windows = Ids::new();
    for Input { key, timestamp, .. } in inputs {
        for start in [(timestamp - DIFFERENCE_MS).max(0), timestamp + 1] {
            let within = start..=start + DIFFERENCE_MS;
            let held = inputs.iter().filter(|input| input.key == *key && within.contains(&input.timestamp));
            let ids: Vec<_> = held.map(|input| input.id).collect();
            if !ids.is_empty() {
                windows.insert((key.clone(), start), ids);
            }
        }
    }
    windows
}
