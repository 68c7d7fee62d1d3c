//! Late events: events that came after their window had closed are in no result. The senders and the pages are told.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill::{
    KStream, Materialized, Produced, Record, StreamsBuilder, Window, Windowed, WindowedCodec,
    processor::{Processor, ProcessorContext, Punctuation, PunctuationType},
    state::{BoxError, Json, Utf8, json_coded},
};

/// How often late events are reported. A report holds the late events since the report before.
const REPORTED: Duration = Duration::from_secs(1);

/// Events of one owner and one input that came too late: their window had closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateEvents {
    /// The owner's id.
    pub id: String,
    /// The name of the input, such as `chat`.
    pub input: String,
    /// The number of late events.
    pub events: u64,
    /// Time of the oldest late event, in epoch milliseconds.
    pub oldest_ms: i64,
    /// Time of the newest late event, in epoch milliseconds.
    pub newest_ms: i64,
    /// How far the latest of them was behind the owner's newest event, in milliseconds.
    pub behind_ms: i64,
}

json_coded!(LateEvents);

/// An event that came too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLate {
    /// The name of the input, such as `chat`.
    pub input: &'static str,
    /// How far it is behind the owner's newest event, in milliseconds. `None` if a step with windows found it late, which
    /// knows.
    pub behind_ms: Option<i64>,
}

impl TooLate {
    /// A late record of a step with windows.
    pub fn of(input: &'static str) -> Self {
        Self { input, behind_ms: None }
    }
}

impl LateEvents {
    /// Adds later ones of the same owner and input.
    pub fn add(&mut self, more: &Self) {
        self.events += more.events;
        self.oldest_ms = self.oldest_ms.min(more.oldest_ms);
        self.newest_ms = self.newest_ms.max(more.newest_ms);
        self.behind_ms = self.behind_ms.max(more.behind_ms);
    }

    /// What happened and what to do, for people. `owner` is the word for the owner, such as `stream`; `section` is the
    /// application's section, which its settings begin with, such as `live`.
    pub fn sentence(&self, owner: &str, section: &str) -> String {
        let Self { events, input, behind_ms, .. } = self;
        let came = if *events == 1 { "event came" } else { "events came" };
        format!(
            "{events} {input} {came} too late and will be in no result: up to {} behind the newest event of this {owner}. \
             Set the clock of the sender, or of the sender that is ahead; if a connector is slow, raise {section}.grace",
            seconds(*behind_ms)
        )
    }
}

fn seconds(ms: i64) -> String {
    if ms < 10_000 { format!("{:.1} s", ms as f64 / 1000.0) } else { format!("{} s", ms / 1000) }
}

/// Reports late events.
///
/// The store holds an owner's late events until the next report; the key is the owner's id.
pub fn report_late(builder: &StreamsBuilder, [name, store, topic]: [&'static str; 3], late: &KStream<String, TooLate>) {
    let reports = late.process(name, &[store], move || Report { store, waits: true });
    reports.to(Produced::with(topic, WindowedCodec::new(Utf8), Json::<LateEvents>::default()));
    builder.add_key_value_store(Materialized::with(store, Utf8, Json::<Vec<LateEvents>>::default()));
}

struct Report {
    store: &'static str,
    /// Whether late events may wait for a report. A new processor does not know, because another one may have left some.
    waits: bool,
}

impl Processor<String, TooLate, Windowed<String>, LateEvents> for Report {
    fn init(&mut self, ctx: &mut ProcessorContext<'_, Windowed<String>, LateEvents>) -> Result<(), BoxError> {
        ctx.schedule(REPORTED, PunctuationType::WallClockTime);
        Ok(())
    }

    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, LateEvents>,
        record: Record<String, TooLate>,
    ) -> Result<(), BoxError> {
        let Record { key: id, value: TooLate { input, behind_ms }, timestamp, .. } = record;
        let store = ctx.key_value_store_with::<String, Vec<LateEvents>>(self.store, Utf8, Json::default())?;
        let mut waiting = store.get(&id)?.unwrap_or_default();
        let late = LateEvents {
            id: id.clone(),
            input: input.to_owned(),
            events: 1,
            oldest_ms: timestamp,
            newest_ms: timestamp,
            behind_ms: behind_ms.or(ctx.late_by_ms()).unwrap_or(0),
        };
        match waiting.iter_mut().find(|known| known.input == input) {
            Some(known) => known.add(&late),
            None => waiting.push(late),
        }
        store.put(&id, &waiting, timestamp)?;
        self.waits = true;
        Ok(())
    }

    fn punctuate(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, LateEvents>,
        _: Punctuation,
        _: i64,
    ) -> Result<(), BoxError> {
        if !std::mem::take(&mut self.waits) {
            return Ok(());
        }
        let store = ctx.key_value_store_with::<String, Vec<LateEvents>>(self.store, Utf8, Json::default())?;
        for entry in store.all() {
            let (id, waiting) = entry?;
            store.delete(&id)?;
            for late in waiting {
                let window = Window { start: late.oldest_ms, end: late.newest_ms + 1 };
                let key = Windowed { key: id.clone(), window };
                ctx.forward(Record::new(key, late.clone(), late.newest_ms));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_events_add_up_and_tell_what_to_do() {
        let late = |timestamp: i64, behind_ms: i64| LateEvents {
            id: "ada".into(),
            input: "chat".into(),
            events: 1,
            oldest_ms: timestamp,
            newest_ms: timestamp,
            behind_ms,
        };
        let mut all = late(5_000, 3_200);
        let sentence = all.sentence("stream", "live");
        assert!(sentence.starts_with("1 chat event came too late and will be in no result: up to 3.2 s"), "{sentence}");
        assert!(sentence.ends_with("if a connector is slow, raise live.grace"), "{sentence}");
        all.add(&late(2_000, 40_900));
        assert_eq!((all.events, all.oldest_ms, all.newest_ms, all.behind_ms), (2, 2_000, 5_000, 40_900));
        let sentence = all.sentence("athlete", "coach");
        assert!(sentence.starts_with("2 chat events came too late and will be in no result: up to 40 s"), "{sentence}");
        assert!(sentence.ends_with("raise coach.grace"), "{sentence}");
    }
}
