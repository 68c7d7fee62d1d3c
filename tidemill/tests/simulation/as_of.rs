//! A stream joined with a versioned table, whose updates come out of order and later than what they concern.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{Joined, Materialized, ProcessingGuarantee, StreamsBuilder, testing::Simulator};

use super::scenario::{Ids, Input, Problem, Scenario, compare};

pub(crate) struct AsOf;

impl Scenario for AsOf {
    const TOPICS: &'static [&'static str] = &["in", "prices"];

    fn build(builder: &StreamsBuilder) {
        // Longer than a run, of which the last record is joined at the end.
        let kept = Materialized::named("prices").versioned(Duration::from_secs(1));
        // The record that closes windows would end the history.
        let prices = builder.stream::<String, i64>("prices").filter(|_, id| *id >= 0).to_table(kept);
        // Longer than timestamps are out of order.
        let joined = Joined::named("joined").grace_period(Duration::from_millis(100));
        let found = |_: &String, id: i64, price: Option<i64>| (id, price.unwrap_or(-1));
        builder
            .stream::<String, i64>("in")
            .left_join_with(&prices, joined, found)
            .filter(|_, (id, _)| *id >= 0)
            .to("out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let (of_in, prices): (Vec<_>, Vec<_>) = inputs.iter().partition(|input| input.topic == "in");
        let mut versions = BTreeMap::<&str, BTreeMap<i64, i64>>::new();
        for Input { key, id, timestamp, .. } in prices {
            versions.entry(key).or_default().insert(*timestamp, *id);
        }
        let price_of = |input: &Input| Some(*versions.get(&*input.key)?.range(..=input.timestamp).next_back()?.1);
        let expected: Ids<i64> = of_in.iter().map(|input| (input.id, vec![price_of(input).unwrap_or(-1)])).collect();

        let (mut found, mut times) = (Ids::new(), BTreeMap::<i32, Vec<i64>>::new());
        let time_of = |id: i64| of_in.iter().find(|input| input.id == id).map_or(-1, |input| input.timestamp);
        for (partition, _, (id, price)) in simulator.read::<String, (i64, i64)>("out")? {
            found.entry(id).or_insert_with(Vec::new).push(price);
            times.entry(partition).or_default().push(time_of(id));
        }
        compare("prices at the time of each record", guarantee, found, &expected)?;
        if guarantee == ProcessingGuarantee::ExactlyOnce && !times.values().all(|times| times.is_sorted()) {
            return Err(format!("what waited came out of order: {times:?}").into());
        }
        Ok(())
    }
}
