//! An operator of one's own, with a store and a timer.
//!
//! `cargo run --release -p tidemill --example custom_processor`
//!
//! It alerts when a stream's mood drops, at most once in ten seconds a stream, and tells every minute how many it held
//! back. None of this fits `filter` or `aggregate`; a `Processor` decides freely what to keep and what to forward.

#![allow(clippy::print_stdout, reason = "printing is what an example is for")]

use std::{error::Error, time::Duration};

use tidemill::{
    StreamsBuilder,
    processor::{Processor, ProcessorContext, Punctuation, PunctuationType, Record},
    state::{BoxError, KeyValueStore},
    testing::TopologyTestDriver,
};

const QUIET_MS: i64 = 10_000;

/// One instance serves one task, so it needs no locks. What must survive belongs into stores, never into fields: those
/// are gone after a crash, while stores, output and input positions are committed together.
#[derive(Default)]
struct MoodAlert {
    stores: Option<(KeyValueStore<String, i64>, KeyValueStore<String, i64>)>,
}

impl Processor<String, i64, String, String> for MoodAlert {
    fn init(&mut self, ctx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        self.stores = Some((ctx.key_value_store("alerted-at")?, ctx.key_value_store("held-back")?));
        // By stream time, not the wall clock: a replay gives the same output.
        ctx.schedule(Duration::from_mins(1), PunctuationType::StreamTime);
        Ok(())
    }

    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, i64>,
    ) -> Result<(), BoxError> {
        let (alerted_at, held_back) = self.stores.as_ref().ok_or("init comes first")?;
        let (stream, mood, now) = (&record.key, record.value, record.timestamp);
        if mood >= 3 {
            return Ok(());
        }
        if alerted_at.get(stream)?.is_some_and(|before| now < before + QUIET_MS) {
            held_back.put(stream, &(held_back.get(stream)?.unwrap_or(0) + 1), now)?;
            return Ok(());
        }
        alerted_at.put(stream, &now, now)?;
        ctx.forward(Record::new(stream.clone(), format!("mood is down to {mood}"), now));
        Ok(())
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        _: Punctuation,
        now: i64,
    ) -> Result<(), BoxError> {
        let (_, held_back) = self.stores.as_ref().ok_or("init comes first")?;
        for entry in held_back.all() {
            let (stream, count) = entry?;
            held_back.delete(&stream)?;
            ctx.forward(Record::new(stream, format!("{count} alerts held back"), now));
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let builder = StreamsBuilder::new();
    builder.add_key_value_store::<String, i64>("alerted-at");
    builder.add_key_value_store::<String, i64>("held-back");
    let moods = builder.stream::<String, i64>("moods");
    moods.process("mood-alert", &["alerted-at", "held-back"], MoodAlert::default).to("alerts");

    let driver = TopologyTestDriver::new(&builder.build()?)?;
    let (moods, alerts) = (driver.input("moods"), driver.output::<String, String>("alerts"));
    for (mood, second) in [(5_i64, 1), (2, 4), (1, 6), (2, 9), (2, 15), (4, 61)] {
        moods.pipe("stream-1".to_owned(), mood, second * 1000)?;
        println!("{second:>3} s  mood {mood}  {}", alerts.read_values()?.join(", "));
    }
    Ok(())
}
