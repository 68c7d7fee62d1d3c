//! A processor that keeps sessions of its own: each record joins the sessions near it, and tells how many records they have.

use std::time::Duration;

use tidemill::{
    ProcessingGuarantee, StoreBuilder, StreamsBuilder,
    processor::{FixedKeyProcessor, FixedKeyProcessorContext, FixedKeyRecord},
    state::{BoxError, Session},
    testing::Simulator,
};

use super::{
    scenario::{Ids, Input, Problem, Scenario, compare, group, read},
    sessions::GAP,
};

pub(crate) struct KeptSessions;

struct Join;

impl FixedKeyProcessor<String, i64, (i64, i64)> for Join {
    fn process(
        &mut self,
        ctx: &mut FixedKeyProcessorContext<'_, String, (i64, i64)>,
        record: FixedKeyRecord<String, i64>,
    ) -> Result<(), BoxError> {
        let (at, id) = (record.timestamp, record.value);
        // The record that closes windows says nothing here.
        if id >= 0 {
            let kept = ctx.session_store::<String, i64>("kept")?;
            let (mut joined, mut count) = (Session { start: at, end: at }, 1);
            for near in kept.find_sessions(record.key(), at - GAP, at + GAP) {
                let (Session { start, end }, records) = near?;
                kept.remove(record.key(), start, end)?;
                joined = Session { start: start.min(joined.start), end: end.max(joined.end) };
                count += records;
            }
            kept.put(record.key(), joined.start, joined.end, &count)?;
            ctx.forward(record.with_value((id, count)));
        }
        Ok(())
    }
}

impl Scenario for KeptSessions {
    const TOPICS: &'static [&'static str] = &["in"];

    fn build(builder: &StreamsBuilder) {
        // Some sessions expire within a run, but none that a record is near to: it is at most 70 ms late.
        builder.add_state_store(StoreBuilder::session::<String, i64>("kept", Duration::from_millis(150)));
        builder.stream::<String, i64>("in").process_values("join", &["kept"], || Join).to("out");
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let (mut ids, mut counts) = (Ids::<String>::new(), Ids::<i64>::new());
        for (key, (id, count)) in read::<String, (i64, i64)>(simulator, "out")? {
            ids.entry(key).or_default().push(id);
            counts.entry(id).or_default().push(count);
        }
        compare("ids", guarantee, ids, &group(inputs, |input| input.key.clone()))?;
        if guarantee == ProcessingGuarantee::AtLeastOnce {
            // A record that is processed again counts again.
            return Ok(());
        }
        let (mut sessions, mut expected) = (Vec::<(&str, Session, i64)>::new(), Ids::new());
        for Input { key, id, timestamp: at, .. } in inputs {
            let is_near =
                |known: &str, Session { start, end }: Session| known == key && end >= at - GAP && start <= at + GAP;
            let (near, rest): (Vec<_>, Vec<_>) = sessions.into_iter().partition(|(known, at, _)| is_near(known, *at));
            let start = near.iter().map(|(_, session, _)| session.start).fold(*at, i64::min);
            let end = near.iter().map(|(_, session, _)| session.end).fold(*at, i64::max);
            let count = 1 + near.iter().map(|(.., records)| records).sum::<i64>();
            sessions = rest;
            sessions.push((key, Session { start, end }, count));
            expected.insert(*id, vec![count]);
        }
        compare("records of sessions", guarantee, counts, &expected)
    }
}
