//! Another key, a repartition topic, and two aggregates that emit every update.

use std::collections::BTreeMap;

use tidemill::{Materialized, ProcessingGuarantee, StreamsBuilder, testing::Simulator};

use super::scenario::{Ids, Input, Problem, Scenario, compare, group, read};

pub(crate) struct Repartition;

fn rekeyed(id: i64) -> String {
    format!("group-{}", id.rem_euclid(4))
}

impl Scenario for Repartition {
    const TOPICS: &'static [&'static str] = &["in"];

    fn build(builder: &StreamsBuilder) {
        let grouped = builder
            .stream::<String, i64>("in")
            .filter(|_, id| *id >= 0)
            .select_key(|_, id| rekeyed(*id))
            .map_values(|id| vec![id])
            .repartition("by-group")
            .group_by_key();
        grouped.count("counts").to_stream().to("counts-out");
        grouped.reduce(Materialized::named("unions").in_memory(), union).to_stream().to("unions-out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let expected = group(inputs, |input| rekeyed(input.id));
        let mut unions = BTreeMap::<String, Vec<Vec<i64>>>::new();
        for (key, union) in read::<String, Vec<i64>>(simulator, "unions-out")? {
            unions.entry(key).or_default().push(union);
        }
        // At least once, a thread that hung may send older updates again after another's newer ones.
        let final_union = |all: &Vec<Vec<i64>>| match guarantee {
            ProcessingGuarantee::ExactlyOnce => all.last().cloned(),
            ProcessingGuarantee::AtLeastOnce => all.iter().max_by_key(|union| union.len()).cloned(),
        };
        let last: Ids<String> = unions.iter().filter_map(|(key, all)| Some((key.clone(), final_union(all)?))).collect();
        compare("unions", guarantee, last, &expected)?;

        let mut counts = Ids::<String>::new();
        for (key, count) in read::<String, i64>(simulator, "counts-out")? {
            counts.entry(key).or_default().push(count);
        }
        for (key, ids) in &expected {
            let (found, count) = (counts.get(key).cloned().unwrap_or_default(), ids.len() as i64);
            let sizes: Vec<_> = unions[key].iter().map(|union| union.len() as i64).collect();
            let right = match guarantee {
                ProcessingGuarantee::ExactlyOnce => (1..=count).eq(found.iter().copied()) && found == sizes,
                ProcessingGuarantee::AtLeastOnce => found.iter().any(|found| *found >= count),
            };
            if !right {
                return Err(format!("counts of {key}: {found:?}, sizes {sizes:?}, expected 1 to {count}").into());
            }
        }
        Ok(())
    }
}

/// Both sets, sorted: the same however often a part is added.
fn union(mut all: Vec<i64>, more: Vec<i64>) -> Vec<i64> {
    all.extend(more);
    all.sort_unstable();
    all.dedup();
    all
}
