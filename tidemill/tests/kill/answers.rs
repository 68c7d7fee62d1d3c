//! What came out of the tables, and what of it two runs have in common.

use std::collections::{BTreeMap, BTreeSet};

use tidemill::{
    state::{Codec, Coded},
    transport::embedded::EmbeddedLog,
};

use crate::{
    Tested,
    tables::{ANSWERS, foreign_key, group_of, joined, stored},
    workload::Work,
};

/// What of an output is the same in every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// One value for each key.
    Once,
    /// The values of each key, in order.
    InOrder,
    /// The last value of each key. No pair of values is there twice.
    Last,
    /// The last value of each key, and how many there are.
    LastOfMany,
    /// One value for each record, which tells what the record found: nothing older than the record before it found.
    Found,
}

/// The values of a topic by key, in order.
type Values = BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>>;

/// What came out, by topic.
pub(crate) struct Answers(BTreeMap<&'static str, Values>);

impl Answers {
    pub(crate) fn read(log: &EmbeddedLog) -> Tested<Self> {
        let mut answers = BTreeMap::new();
        for (topic, _) in ANSWERS {
            let values: &mut Values = answers.entry(topic).or_default();
            for (_, record) in log.read_all(topic)? {
                let key = record.key.unwrap_or_default().to_vec();
                values.entry(key).or_default().push(record.value.map(|value| value.to_vec()));
            }
        }
        Ok(Self(answers))
    }

    /// Nothing lost, nothing twice, nothing else.
    pub(crate) fn assert_same_as(&self, expected: &Self) {
        let mut told = Vec::new();
        for (topic, answer) in ANSWERS {
            let (found, expected) = (&self.0[topic], &expected.0[topic]);
            for key in found.keys().chain(expected.keys()) {
                let [found, expected] = [found, expected].map(|values| values.get(key).map_or(&[][..], Vec::as_slice));
                let is_same = answer.is_same(found, expected);
                assert!(is_same, "{topic}, {}: {}", String::from_utf8_lossy(key), difference(found, expected));
            }
            told.push(format!("{topic} {}", found.values().map(Vec::len).sum::<usize>()));
        }
        println!("results as undisturbed: {}", told.join(", "));
    }

    /// The last results of the tables are those of the last records of each row.
    pub(crate) fn check_against_input(&self, work: &Work) -> Tested {
        let text = |bytes: Option<bytes::Bytes>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        let [left, right] = ["left", "right"].map(|topic| {
            work.all(topic).map(|entry| (text(entry.key), stored(text(entry.value)))).collect::<BTreeMap<_, _>>()
        });
        let of = |table: &BTreeMap<String, Option<String>>, key: &str| table.get(key).cloned().flatten();
        let mut groups = BTreeMap::<String, i64>::new();
        let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
        for key in keys {
            let (one, other) = (of(&left, key), of(&right, key));
            let is_there = one.is_some() || other.is_some();
            self.assert_last("joined", key, is_there.then(|| joined(one.clone(), other)).as_ref())?;
            let foreign = one.clone().map(|id| joined(Some(id.clone()), of(&right, &foreign_key(&id))));
            self.assert_last("foreign", key, foreign.as_ref())?;
            if let Some(id) = one {
                *groups.entry(group_of(&id)).or_default() += 1;
            }
        }
        groups.iter().try_for_each(|(group, count)| self.assert_last("counts", group, Some(count)))
    }

    fn assert_last<V: Coded + PartialEq + std::fmt::Debug>(
        &self,
        topic: &str,
        key: &str,
        expected: Option<&V>,
    ) -> Tested {
        let last = self.0[topic].get(key.as_bytes()).and_then(|values| values.last()).cloned().flatten();
        let found = last.map(|value| V::Codec::default().decode(value.into())).transpose()?;
        assert_eq!(found.as_ref(), expected, "{topic}, {key}");
        Ok(())
    }
}

/// Where two runs part.
fn difference(found: &[Option<Vec<u8>>], expected: &[Option<Vec<u8>>]) -> String {
    let at = found.iter().zip(expected).take_while(|(one, other)| one == other).count();
    let text = |values: &[Option<Vec<u8>>]| {
        let texts = values[at..].iter().take(4).map(|value| value.as_deref().map(String::from_utf8_lossy));
        format!("{:?} of {}", texts.collect::<Vec<_>>(), values.len())
    };
    format!("from {at} on found {}, expected {}", text(found), text(expected))
}

impl Answer {
    fn is_same(self, found: &[Option<Vec<u8>>], expected: &[Option<Vec<u8>>]) -> bool {
        match self {
            Self::Once => found.len() == 1 && found == expected,
            Self::InOrder => found == expected,
            Self::Last => {
                // A value that found no other may be there again when the other has come and gone.
                let is_pair = |value: &&Vec<u8>| !value.starts_with(b"+") && !value.ends_with(b"+");
                let pairs: Vec<_> = found.iter().flatten().filter(is_pair).collect();
                found.last() == expected.last() && pairs.iter().collect::<BTreeSet<_>>().len() == pairs.len()
            }
            Self::LastOfMany => found.len() == expected.len() && found.last() == expected.last(),
            Self::Found => {
                let parts = |values: &[Option<Vec<u8>>]| -> (Vec<String>, Vec<i64>) {
                    let texts = values.iter().flatten().map(|value| String::from_utf8_lossy(value).into_owned());
                    let pairs = texts.map(|text| {
                        let (record, name) = text.split_once('/').unwrap_or_default();
                        (record.to_owned(), name.rsplit('-').next().and_then(|index| index.parse().ok()).unwrap_or(-1))
                    });
                    pairs.unzip()
                };
                let ((found, names), (expected, _)) = (parts(found), parts(expected));
                found == expected && names.is_sorted()
            }
        }
    }
}
