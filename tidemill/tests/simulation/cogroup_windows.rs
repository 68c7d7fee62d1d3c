//! Two co-partitioned topics in common sessions and in common sliding windows.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{
    EmitStrategy,
    ProcessingGuarantee::{self, ExactlyOnce},
    SessionWindows, SlidingWindows, StreamsBuilder, Windowed,
    testing::Simulator,
};

use super::{
    check,
    scenario::{Ids, Input, Problem, Scenario, compare, place, read},
    sessions::{GAP, sessions},
    sliding::{DIFFERENCE_MS, by_definition, each_is_somewhere},
};

pub(crate) struct CogroupWindows;

type Lists = (Vec<i64>, Vec<i64>);

fn ms(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}

#[test]
fn cogroup_windows_exactly_once() {
    check::<CogroupWindows>("cogroup_windows_exactly_once", ProcessingGuarantee::ExactlyOnce);
}

#[test]
fn cogroup_windows_at_least_once() {
    check::<CogroupWindows>("cogroup_windows_at_least_once", ProcessingGuarantee::AtLeastOnce);
}

impl Scenario for CogroupWindows {
    const TOPICS: &'static [&'static str] = &["left", "right"];

    fn build(builder: &StreamsBuilder) {
        let side = |topic| builder.stream::<String, i64>(topic).group_by_key();
        let (left, right) = (side("left"), side("right"));
        let both = || {
            let lefts = left.cogroup(|_, id, (lefts, _): &mut Lists| lefts.push(id));
            lefts.cogroup(&right, |_, id, (_, rights): &mut Lists| rights.push(id))
        };
        let visits = both().windowed_by(SessionWindows::of_inactivity_gap_and_grace(ms(GAP), ms(100)));
        let merge = |_: &String, one: Lists, other: Lists| ([one.0, other.0].concat(), [one.1, other.1].concat());
        let visits = visits.emit(EmitStrategy::on_window_close()).aggregate("visits", Lists::default, merge);
        visits.to_stream().to("visits-out");
        let windows = SlidingWindows::of_time_difference_and_grace(ms(DIFFERENCE_MS), ms(100));
        let sliding = both().windowed_by(windows).emit(EmitStrategy::on_window_close());
        sliding.aggregate("sliding", Lists::default).to_stream().to("sliding-out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        for (topic, expected) in [("visits-out", sessions(inputs)), ("sliding-out", by_definition(inputs))] {
            let (mut found, mut times) = (Ids::new(), BTreeMap::<_, u32>::new());
            for (key, (lefts, rights)) in read::<Windowed<String>, Lists>(simulator, topic)? {
                let Some(place) = place(&key) else { continue };
                for (side, ids) in [("left", &lefts), ("right", &rights)] {
                    let is_here = |id: &&i64| inputs[usize::try_from(**id).unwrap_or_default()].topic == side;
                    if let Some(id) = ids.iter().find(|id| !is_here(id)) {
                        return Err(format!("{topic}, {place:?}: {id} is on the wrong side").into());
                    }
                }
                *times.entry(place.clone()).or_default() += 1;
                found.entry(place).or_default().extend([lefts, rights].concat());
            }
            if let Some(twice) = times.iter().find(|(_, times)| guarantee == ExactlyOnce && **times > 1) {
                return Err(format!("{topic}: more than one result: {twice:?}").into());
            }
            if guarantee == ExactlyOnce || topic == "visits-out" {
                compare(topic, guarantee, found, &expected)?;
            } else {
                each_is_somewhere(inputs, &found)?;
            }
        }
        Ok(())
    }
}
