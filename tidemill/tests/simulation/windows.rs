//! A windowed count with final results, and a collected list, of one stream.

use std::collections::BTreeMap;

use tidemill::{EmitStrategy, ProcessingGuarantee, StreamsBuilder, Windowed, testing::Simulator};

use super::scenario::{Input, Problem, Scenario, compare, group, place, read, start_of, windows};

pub(crate) struct Windows;

impl Scenario for Windows {
    const TOPICS: &'static [&'static str] = &["in"];

    fn build(builder: &StreamsBuilder) {
        let stream = builder.stream::<String, i64>("in");
        let windowed = || stream.group_by_key().windowed_by(windows()).emit(EmitStrategy::on_window_close());
        windowed().count("counts").to_stream().to("counts-out");
        windowed().collect("lists").to("lists-out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let expected = group(inputs, |input| (input.key.clone(), start_of(input.timestamp)));
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
