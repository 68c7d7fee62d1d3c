//! A processor that keeps versions of each key, and tells which one was valid shortly before each record.

use std::{collections::BTreeMap, time::Duration};

use tidemill::{
    ProcessingGuarantee, StreamsBuilder,
    processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord},
    state::BoxError,
    testing::Simulator,
};

use super::scenario::{Ids, Input, Problem, Scenario, compare, group, read};

pub(crate) struct Versions;

/// How long before a record is looked at. Less than timestamps are out of order.
const BEFORE_MS: i64 = 20;

struct Look;

impl FixedKeyProcessor<String, i64, (i64, i64)> for Look {
    fn process(
        &mut self,
        ctx: &mut FixedKeyProcessorContext<'_, String, (i64, i64)>,
        record: FixedKeyRecord<String, i64>,
    ) -> Result<(), BoxError> {
        // The record that closes windows says nothing here.
        if record.value >= 0 {
            let versions = ctx.versioned_store::<String, i64>("versions")?;
            let before = versions.get_as_of(record.key(), record.timestamp - BEFORE_MS)?;
            versions.put(record.key(), &record.value, record.timestamp)?;
            let seen = (record.value, before.map_or(-1, |version| version.value));
            ctx.forward(record.with_value(seen));
        }
        Ok(())
    }
}

impl Scenario for Versions {
    const TOPICS: &'static [&'static str] = &["in"];

    fn build(builder: &StreamsBuilder) {
        // Some versions end within a run, but none that a record looks at: those are at most 70 ms old.
        builder.add_versioned_store::<String, i64>("versions", Duration::from_millis(100));
        builder.stream::<String, i64>("in").process_values("look", &["versions"], || Look).to("out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let (mut ids, mut seen) = (Ids::<String>::new(), Ids::<i64>::new());
        for (key, (id, before)) in read::<String, (i64, i64)>(simulator, "out")? {
            ids.entry(key).or_default().push(id);
            seen.entry(id).or_default().push(before);
        }
        compare("ids", guarantee, ids, &group(inputs, |input| input.key.clone()))?;
        if guarantee == ProcessingGuarantee::AtLeastOnce {
            // A record that is processed again may see versions of records after it.
            return Ok(());
        }
        let (mut versions, mut expected) = (BTreeMap::<&str, BTreeMap<i64, i64>>::new(), Ids::new());
        for Input { key, id, timestamp, .. } in inputs {
            let of_key = versions.entry(key).or_default();
            let before = of_key.range(..=timestamp - BEFORE_MS).next_back().map_or(-1, |(_, id)| *id);
            of_key.insert(*timestamp, *id);
            expected.insert(*id, vec![before]);
        }
        compare("versions before records", guarantee, seen, &expected)
    }
}
