//! A count whose keys expire: each partition gives exactly what its records say, in their order.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{Materialized, ProcessingGuarantee, StreamsBuilder, partition_for, testing::Simulator};

use super::scenario::{Input, Problem, Scenario};

const LIVE_MS: i64 = 60;

/// Partitions of each topic of a simulation.
const PARTITIONS: i32 = 3;

pub(crate) struct TimeToLive;

impl Scenario for TimeToLive {
    const TOPICS: &'static [&'static str] = &["in"];

    fn build(builder: &StreamsBuilder) {
        let live = Duration::from_millis(LIVE_MS.unsigned_abs());
        let counts = Materialized::<String, i64>::named("counts").time_to_live(live);
        builder.stream::<String, i64>("in").group_by_key().count(counts).to_stream().to("out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], _: ProcessingGuarantee) -> Result<(), Problem> {
        let mut found = BTreeMap::<String, Vec<Option<i64>>>::new();
        for (_, key, count) in simulator.read::<String, Option<i64>>("out")? {
            found.entry(key).or_default().push(count);
        }
        // The record that comes last in each partition lets everything expire.
        found.retain(|key, _| key.starts_with("key-"));
        let expected = expected(inputs);
        if found == expected { Ok(()) } else { Err(format!("found {found:?}, expected {expected:?}").into()) }
    }
}

fn expected(inputs: &[Input]) -> BTreeMap<String, Vec<Option<i64>>> {
    let mut all = BTreeMap::<String, Vec<Option<i64>>>::new();
    for partition in 0..PARTITIONS {
        let mut rows = BTreeMap::<&str, (i64, i64)>::new();
        let mut now_ms = -1;
        let here = |input: &&Input| partition_for(Some(input.key.as_bytes()), PARTITIONS) == partition;
        for Input { key, timestamp, .. } in inputs.iter().filter(here) {
            now_ms = now_ms.max(*timestamp);
            rows.retain(|key, (_, written_ms)| {
                let lives = *written_ms + LIVE_MS > now_ms;
                if !lives {
                    all.entry((*key).to_owned()).or_default().push(None);
                }
                lives
            });
            let row = rows.entry(key).or_insert((0, *timestamp));
            *row = (row.0 + 1, row.1.max(*timestamp));
            all.entry(key.clone()).or_default().push(Some(row.0));
        }
        for key in rows.keys() {
            all.entry((*key).to_owned()).or_default().push(None);
        }
    }
    all
}
