//! A stream joined with a global table, of which some records do not decode: what is found was on the topic, what is
//! found at the end is the last value, and each bad record has one dead letter.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tidemill::{
    Consumed, Materialized, ProcessingGuarantee, RecordHandler, StreamsBuilder, StreamsConfig,
    state::{BigEndian, Codec, CodecError, Utf8},
    testing::Simulator,
};

use super::{
    check,
    scenario::{Ids, Input, Problem, Scenario, compare, read},
};

/// The ids of the records that come last.
const LAST: i64 = 1_000;

/// Integers, but those that 7 divides do not decode.
struct Mostly;

impl Codec<i64> for Mostly {
    fn encode_into(&self, value: &i64, out: &mut Vec<u8>) -> Result<(), CodecError> {
        BigEndian.encode_into(value, out)
    }

    fn decode(&self, bytes: Bytes) -> Result<i64, CodecError> {
        let value: i64 = BigEndian.decode(bytes)?;
        if is_bad(value) {
            Err(CodecError::Malformed { expected: "no multiple", reason: "of 7".into() })
        } else {
            Ok(value)
        }
    }
}

fn is_bad(id: i64) -> bool {
    id % 7 == 0
}

pub(crate) struct Global;

#[test]
fn global_table_exactly_once() {
    check::<Global>("global_table_exactly_once", ProcessingGuarantee::ExactlyOnce);
}

#[test]
fn global_table_at_least_once() {
    check::<Global>("global_table_at_least_once", ProcessingGuarantee::AtLeastOnce);
}

impl Scenario for Global {
    const TOPICS: &'static [&'static str] = &["in", "told"];

    fn configure(config: StreamsConfig) -> StreamsConfig {
        StreamsConfig { deserialization_handler: RecordHandler::DeadLetter("dead".into()), ..config }
    }

    fn build(builder: &StreamsBuilder) {
        let kept: Materialized<String, i64> = Materialized::named("last-told");
        let told = builder.global_table_with(Consumed::with("told", Utf8, Mostly), kept);
        let found = |_: &String, id: i64, told: Option<i64>| vec![id, told.unwrap_or(-2)];
        let text = |ids: Vec<i64>| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let ids = builder.stream::<String, i64>("in");
        let joined = ids.left_join_global(&told, |key, _| Some(key.clone()), found);
        joined.map_values(text).to("out");
        let joined = ids.join_global(&told, |key, _| Some(key.clone()), |_, id, told| vec![id, told]);
        joined.map_values(text).to("inner-out");
    }

    fn end(simulator: &mut Simulator) -> Result<(), Problem> {
        for key in 0..5 {
            simulator.append("in", &format!("key-{key}"), &(LAST + key), 1_000_001)?;
        }
        Ok(simulator.settle()?)
    }

    fn check(simulator: &Simulator, inputs: &[Input], guarantee: ProcessingGuarantee) -> Result<(), Problem> {
        let (of_in, told): (Vec<_>, Vec<_>) = inputs.iter().partition(|input| input.topic == "in");
        let mut last = BTreeMap::<&str, i64>::new();
        let mut good = BTreeSet::new();
        for Input { key, id, .. } in told.iter().copied().filter(|input| !is_bad(input.id)) {
            last.insert(key, *id);
            good.insert((key.as_str(), *id));
        }
        let (mut found, mut expected, mut matched) = (Ids::new(), Ids::new(), Vec::new());
        let mut alone = BTreeSet::new();
        for input in of_in {
            expected.entry(input.key.clone()).or_insert_with(Vec::new).push(input.id);
        }
        for (key, text) in read::<String, String>(simulator, "out")? {
            let ids: Vec<i64> = text.split(' ').map(str::parse).collect::<Result<_, _>>()?;
            let (id, told) = (ids[0], ids[1]);
            if told == -2 {
                alone.insert(id);
            } else {
                matched.push((key.clone(), text));
            }
            if id >= LAST {
                let expected = last.get(key.as_str()).copied().unwrap_or(-2);
                if told != expected {
                    return Err(format!("{key} found {told} at the end instead of {expected}").into());
                }
            } else if id >= 0 {
                if told != -2 && !good.contains(&(key.as_str(), told)) {
                    return Err(format!("{key} found {told}, which was never told").into());
                }
                found.entry(key).or_insert_with(Vec::new).push(id);
            }
        }
        compare("joined records", guarantee, found, &expected)?;
        let inner = read::<String, String>(simulator, "inner-out")?;
        let id_of = |text: &str| text.split(' ').next().and_then(|id| id.parse::<i64>().ok());
        let is_right = match guarantee {
            ProcessingGuarantee::ExactlyOnce => inner == matched,
            // A record that comes again may find something else.
            ProcessingGuarantee::AtLeastOnce => {
                let ids: BTreeSet<_> = inner.iter().filter_map(|(_, text)| id_of(text)).collect();
                matched.iter().filter_map(|(_, text)| id_of(text)).all(|id| ids.contains(&id) || alone.contains(&id))
            }
        };
        if !is_right {
            return Err(format!("inner join: found {inner:?}, expected {matched:?}").into());
        }
        let mut letters: Vec<_> = read::<String, i64>(simulator, "dead")?;
        letters.sort();
        let mut expected: Vec<_> = told.iter().filter(|it| is_bad(it.id)).map(|it| (it.key.clone(), it.id)).collect();
        expected.sort();
        if letters == expected {
            Ok(())
        } else {
            Err(format!("dead letters: {letters:?}, expected {expected:?}").into())
        }
    }
}
