//! The records of a case.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::case::Step;

#[derive(Debug, Clone)]
struct Drawn {
    topic: u8,
    key: u8,
    value: u8,
    ahead: u8,
    late: u8,
    headers: u8,
}

/// What a script is drawn from, before the topics are known.
#[derive(Debug, Clone)]
pub(super) struct Script {
    steps: Vec<Drawn>,
    /// How far records come late: not at all, a little, a lot.
    disorder: u8,
}

/// What a case needs of its script.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Records far ahead end the script, so that nothing waits for partners any more.
    pub(super) closers: bool,
    /// The wall clock advances often.
    pub(super) waits: bool,
    /// No two records have the same time: see the rules for sessions.
    pub(super) distinct: bool,
}

const KEYS: [Option<&str>; 8] = [Some("a"), Some("b"), Some("a"), Some("c"), Some("b"), Some("é"), Some(""), None];

/// Headers of records: names and values; one has no value.
const HEADERS: [&str; 10] = ["", "", "", "h=1", "h=2", "h=3", "g=1,h=4", "h=5,h=6", "h", "é=ö"];

impl Script {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let step = (any::<u8>(), 0..8_u8, any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>());
        let step = step.prop_map(|(topic, key, value, ahead, late, headers)| Drawn {
            topic,
            key,
            value,
            ahead,
            late,
            headers,
        });
        (prop::collection::vec(step, 1..32), 0..3_u8).prop_map(|(steps, disorder)| Self { steps, disorder })
    }

    pub(super) fn steps(&self, topics: &[String], how: How) -> Vec<Step> {
        let mut now = 0;
        let mut steps: Vec<_> = self.steps.iter().map(|drawn| self.step(drawn, &mut now, topics, how)).collect();
        if how.closers {
            let far = |ahead: i64, now: i64| {
                topics.iter().map(move |topic| {
                    Step::Record(topic.clone(), Some("z".into()), Some("0".into()), now + ahead, String::new())
                })
            };
            steps.extend(far(100_000, now));
            steps.extend(far(200_000, now));
        }
        if how.distinct {
            let mut times = BTreeSet::new();
            for step in &mut steps {
                if let Step::Record(.., timestamp, _) = step {
                    while !times.insert(*timestamp) {
                        *timestamp += 1;
                    }
                }
            }
        }
        steps
    }

    fn step(&self, drawn: &Drawn, now: &mut i64, topics: &[String], how: How) -> Step {
        let Drawn { topic, key, value, ahead, late, headers } = *drawn;
        if topic == u8::MAX || how.waits && topic > 225 {
            return Step::Wait(1_000);
        }
        *now += match ahead {
            0..100 => 0,
            100..235 => i64::from(ahead % 5),
            235.. => i64::from(ahead - 230) * 3,
        };
        let late = match (self.disorder, late) {
            (0, _) | (_, 0..170) => 0,
            (1, _) => i64::from(late % 6),
            (_, _) => i64::from(late % 40),
        };
        let topic = topics[usize::from(topic) % topics.len()].clone();
        let value = (value < 220).then(|| (value % 50).to_string());
        let headers = HEADERS[usize::from(headers) * HEADERS.len() / 256].to_owned();
        Step::Record(topic, KEYS[usize::from(key)].map(ToOwned::to_owned), value, (*now - late).max(0), headers)
    }
}
