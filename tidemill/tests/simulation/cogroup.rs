//! Two co-partitioned topics collected into common windows.

use std::collections::BTreeMap;

use tidemill::{ProcessingGuarantee, StreamsBuilder, Windowed, testing::Simulator};

use super::scenario::{Input, Problem, Scenario, compare, group, place, read, start_of, windows};

pub(crate) struct Cogroup;

impl Scenario for Cogroup {
    const TOPICS: &'static [&'static str] = &["left", "right"];

    fn build(builder: &StreamsBuilder) {
        let windowed = |topic: &str| builder.stream::<String, i64>(topic).group_by_key().windowed_by(windows());
        windowed("left")
            .cogroup(windowed("right"))
            .collect("lefts", "rights")
            .map_values(|both| (both.left, both.right))
            .to("out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let expected = group(inputs, |input| (input.topic, (input.key.clone(), start_of(input.timestamp))));
        let mut found = BTreeMap::<_, Vec<i64>>::new();
        let mut emitted = BTreeMap::<_, u32>::new();
        for (key, (left, right)) in read::<Windowed<String>, (Vec<i64>, Vec<i64>)>(simulator, "out")? {
            let Some(place) = place(&key) else { continue };
            *emitted.entry(place.clone()).or_default() += 1;
            for (topic, ids) in [("left", left), ("right", right)] {
                if !ids.is_empty() {
                    found.entry((topic, place.clone())).or_default().extend(ids);
                }
            }
        }
        let twice = emitted.iter().find(|(_, times)| **times > 1);
        if let Some(twice) = twice.filter(|_| guarantee == ProcessingGuarantee::ExactlyOnce) {
            return Err(format!("a window was emitted more than once: {twice:?}").into());
        }
        compare("windows", guarantee, found, &expected)
    }
}
