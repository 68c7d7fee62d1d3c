//! Processors and transformers of a described topology.

use tidemill::{
    KTable,
    processor::{
        FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord, Processor, ProcessorContext, Punctuation,
        PunctuationType, Record, ValueTransformerContext, ValueTransformerWithKey,
    },
    state::BoxError,
};

use crate::{
    build::{Nodes, Stream, ms},
    case::Text,
    functions,
};

/// Keeps the last value of each key, and emits them when it is called.
struct Keep {
    store: String,
    every: i64,
    by: PunctuationType,
}

impl Processor<Text, Text, Text, Text> for Keep {
    fn init(&mut self, ctx: &mut ProcessorContext<'_, Text, Text>) -> Result<(), BoxError> {
        ctx.schedule(ms(self.every), self.by);
        Ok(())
    }

    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Text, Text>,
        record: Record<Text, Text>,
    ) -> Result<(), BoxError> {
        let rows = ctx.key_value_store::<String, String>(&self.store)?;
        match (&record.key, &record.value) {
            (Some(key), Some(value)) => rows.put(key, value, record.timestamp)?,
            (Some(key), None) => rows.delete(key)?,
            (None, _) => ctx.forward(record),
        }
        Ok(())
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, Text, Text>,
        _: Punctuation,
        time_ms: i64,
    ) -> Result<(), BoxError> {
        let rows = ctx.key_value_store::<String, String>(&self.store)?;
        for (key, value) in rows.all().collect::<Result<Vec<_>, _>>()? {
            rows.delete(&key)?;
            ctx.forward(Record::new(Some(key), Some(value), time_ms));
        }
        Ok(())
    }
}

/// Numbers the values of each key.
struct Number {
    store: String,
}

impl FixedKeyProcessor<Text, Text, Text> for Number {
    fn process(
        &mut self,
        ctx: &mut FixedKeyProcessorContext<'_, Text, Text>,
        record: FixedKeyRecord<Text, Text>,
    ) -> Result<(), BoxError> {
        let key = record.key().clone().unwrap_or_default();
        let rows = ctx.key_value_store::<String, String>(&self.store)?;
        let before = rows.get(&key)?.map_or(Ok(0), |text| text.parse::<u64>())?;
        rows.put(&key, &(before + 1).to_string(), record.timestamp)?;
        let value = functions::add(record.value.clone(), &format!("#{before}"));
        ctx.forward(record.with_value(value));
        Ok(())
    }
}

/// Adds to the value.
struct Add(String);

impl ValueTransformerWithKey<Text, String, String> for Add {
    fn transform(
        &mut self,
        _: &mut ValueTransformerContext<'_>,
        _: &Text,
        value: Option<&String>,
    ) -> Result<Option<String>, BoxError> {
        Ok(functions::add(value.cloned(), &self.0))
    }
}

pub(crate) fn process(nodes: &Nodes<'_>, from: usize, every: i64, stream_time: bool) -> Stream {
    let store = nodes.name();
    nodes.builder.add_key_value_store::<String, String>(store.as_str());
    let by = if stream_time { PunctuationType::StreamTime } else { PunctuationType::WallClockTime };
    let (name, stores) = (format!("p{}", nodes.made.len()), [store.clone()]);
    let stores = stores.each_ref().map(String::as_str);
    nodes.stream(from).process(&name, &stores, move || Keep { store: store.clone(), every, by })
}

pub(crate) fn process_values(nodes: &Nodes<'_>, from: usize) -> Stream {
    let store = nodes.name();
    nodes.builder.add_key_value_store::<String, String>(store.as_str());
    let (name, stores) = (format!("p{}", nodes.made.len()), [store.clone()]);
    let stores = stores.each_ref().map(String::as_str);
    nodes.stream(from).process_values(&name, &stores, move || Number { store: store.clone() })
}

pub(crate) fn transform_values(table: &KTable<Text, String>, name: &str, suffix: String) -> KTable<Text, String> {
    table.transform_values(name, &[], move || Add(suffix.clone()))
}
