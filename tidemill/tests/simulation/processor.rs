//! A processor that keeps ids in a store and hands them on, and forgets them, when the wall clock says so.

use std::time::Duration;

use tidemill::{
    ProcessingGuarantee, StreamsBuilder,
    processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record},
    state::{BoxError, KeyValueStore},
    testing::Simulator,
};

use super::scenario::{Ids, Input, Problem, Scenario, compare, group, read};

pub(crate) struct Batching;

#[derive(Default)]
struct Batcher(Option<KeyValueStore<String, Vec<i64>>>);

impl Batcher {
    fn pending(&self) -> Result<&KeyValueStore<String, Vec<i64>>, BoxError> {
        self.0.as_ref().ok_or_else(|| "init comes first".into())
    }
}

impl Processor<String, i64, String, Vec<i64>> for Batcher {
    fn init(&mut self, ctx: &mut ProcessorContext<'_, String, Vec<i64>>) -> Result<(), BoxError> {
        self.0 = Some(ctx.key_value_store("pending")?);
        ctx.schedule(Duration::from_millis(70), PunctuationType::WallClockTime);
        Ok(())
    }

    fn process(
        &mut self,
        _ctx: &mut ProcessorContext<'_, String, Vec<i64>>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        if record.value >= 0 {
            let mut ids = self.pending()?.get(&record.key)?.unwrap_or_default();
            ids.push(record.value);
            self.pending()?.put(&record.key, &ids, record.timestamp)?;
        }
        Ok(())
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, Vec<i64>>,
        _punctuation: Punctuation,
        time_ms: i64,
    ) -> Result<(), BoxError> {
        for entry in self.pending()?.all() {
            let (key, ids) = entry?;
            self.pending()?.delete(&key)?;
            ctx.forward(Record::new(key, ids, time_ms));
        }
        Ok(())
    }
}

impl Scenario for Batching {
    const TOPICS: &'static [&'static str] = &["in"];

    fn build(builder: &StreamsBuilder) {
        builder.add_key_value_store::<String, Vec<i64>>("pending");
        let batches = builder.stream::<String, i64>("in").process("batcher", &["pending"], Batcher::default);
        batches.to("out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let mut found = Ids::<String>::new();
        for (key, ids) in read::<String, Vec<i64>>(simulator, "out")? {
            found.entry(key).or_default().extend(ids);
        }
        compare("ids", guarantee, found, &group(inputs, |input| input.key.clone()))
    }
}
