//! A stream that becomes a table, and a stream that is joined with it: each record finds what the table had, and never
//! something older than the record before it found.

use std::collections::BTreeMap;

use tidemill::{
    ProcessingGuarantee::{self, ExactlyOnce},
    StreamsBuilder, StreamsConfig,
    testing::Simulator,
};

use super::{
    check,
    scenario::{Ids, Input, Problem, Scenario, compare, group, read},
    tables::{self, accepted, refuse_some, table, updates},
};

pub(crate) struct ToTable;

/// The ids of the records that come last.
const LAST: i64 = 1_000;

#[test]
fn to_table_exactly_once() {
    check::<ToTable>("to_table_exactly_once", ProcessingGuarantee::ExactlyOnce);
}

#[test]
fn to_table_at_least_once() {
    check::<ToTable>("to_table_at_least_once", ProcessingGuarantee::AtLeastOnce);
}

impl Scenario for ToTable {
    const TOPICS: &'static [&'static str] = &["in", "told"];

    fn configure(config: StreamsConfig) -> StreamsConfig {
        tables::refusing(config)
    }

    fn build(builder: &StreamsBuilder) {
        let told = table(builder, "told", "last-told");
        let ids = builder.stream::<String, i64>("in").filter(|_, id| *id >= 0);
        ids.left_join(&told, |_, id, told| vec![id, told.unwrap_or(-1)]).to("left-out");
        ids.join(&told, |_, id, told| vec![id, told]).to("inner-out");
        refuse_some(builder, "in");
        refuse_some(builder, "told");
    }

    fn end(simulator: &mut Simulator) -> Result<(), Problem> {
        for key in 0..5 {
            // None of them is refused.
            simulator.append("in", &format!("key-{key}"), &(LAST + 9 * key), 1_000_001)?;
        }
        Ok(simulator.settle()?)
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let inputs = accepted(inputs);
        let told = updates(&inputs, "told");
        let pairs = |topic| -> Result<BTreeMap<String, Vec<(i64, i64)>>, Problem> {
            let mut pairs = BTreeMap::<_, Vec<_>>::new();
            for (key, ids) in read::<String, Vec<i64>>(simulator, topic)? {
                pairs.entry(key).or_default().push((ids[0], ids[1]));
            }
            Ok(pairs)
        };
        let (left, inner) = (pairs("left-out")?, pairs("inner-out")?);
        let ids: Ids<String> = left
            .iter()
            .map(|(key, pairs)| (key.clone(), pairs.iter().map(|(id, _)| *id).filter(|id| *id < LAST).collect()))
            .filter(|(_, ids): &(_, Vec<_>)| !ids.is_empty())
            .collect();
        let of_in: Vec<_> = inputs.iter().filter(|input| input.topic == "in").cloned().collect();
        compare("joined records", guarantee, ids, &group(&of_in, |input| input.key.clone()))?;
        for (key, pairs) in &left {
            let history: Vec<i64> =
                [None].iter().chain(told.get(key).into_iter().flatten()).map(|id| id.unwrap_or(-1)).collect();
            let last = history[history.len() - 1];
            let at_last = pairs.iter().rev().find(|(id, _)| *id >= LAST).map(|(_, told)| *told);
            if at_last != Some(last) {
                return Err(format!("{key} found {at_last:?} at the end instead of {last}").into());
            }
            if let Some((id, told)) = pairs.iter().find(|(_, told)| !history.contains(told)) {
                return Err(format!("record {id} of {key} found {told}, which was never told").into());
            }
            if guarantee == ExactlyOnce {
                let mut rest = history.iter().peekable();
                for (id, told) in pairs {
                    while rest.next_if(|at| *at != told).is_some() {}
                    if rest.peek().is_none() {
                        return Err(format!("record {id} of {key} found {told}, older than before: {pairs:?}").into());
                    }
                }
                let matched: Vec<_> = pairs.iter().filter(|(_, told)| *told >= 0).copied().collect();
                let found = inner.get(key).cloned().unwrap_or_default();
                if found != matched {
                    return Err(format!("inner join of {key}: found {found:?}, expected {matched:?}").into());
                }
            }
        }
        let strange = inner.iter().find(|(key, pairs)| {
            let told = |id: i64| told.get(*key).is_some_and(|history| history.contains(&Some(id)));
            pairs.iter().any(|(_, id)| !told(*id))
        });
        strange.map_or(Ok(()), |strange| Err(format!("inner join: never told: {strange:?}").into()))
    }
}
