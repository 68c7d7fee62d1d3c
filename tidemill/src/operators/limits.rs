//! What a topic takes, so that a record that the log would refuse is found before it is sent.

use std::{collections::BTreeMap, sync::Arc};

use thiserror::Error;

use super::Failure;
use crate::transport::{CleanupPolicy, ProducerRecord, Topic, TopicSpec};

/// Why a topic does not take a record.
#[derive(Debug, Error)]
pub(crate) enum Refused {
    #[error(
        "a record of {bytes} bytes does not fit topic '{topic}', which takes at most {most}: raise the log's limit for \
         the topic (max.message.bytes in Kafka), or send less in a record"
    )]
    TooLarge { topic: Topic, bytes: usize, most: usize },
    #[error("topic '{topic}' is compacted, so its records need a key")]
    NoKey { topic: Topic },
}

/// What a topic takes. The default is everything.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TopicLimits {
    record_bytes_max: Option<usize>,
    needs_key: bool,
}

/// The limits of the topics that an application writes.
pub(crate) type Limits = BTreeMap<Topic, TopicLimits>;

/// What the topic of a sink takes.
pub(crate) enum SinkLimits {
    One(TopicLimits),
    /// The topic that each record chooses.
    ByRecord(Arc<Limits>),
}

impl SinkLimits {
    /// Checks that its topic takes the record.
    #[inline]
    pub(crate) fn check(&self, record: &ProducerRecord) -> Result<(), Box<Failure>> {
        let checked = match self {
            Self::One(limits) => limits.check(record),
            Self::ByRecord(all) => all.get(&record.topic).map_or(Ok(()), |limits| limits.check(record)),
        };
        checked.map_err(|refused| Box::new(Failure::Refused(refused)))
    }
}

impl TopicLimits {
    pub(crate) fn new(spec: &TopicSpec, record_bytes_max: Option<usize>) -> Self {
        Self { record_bytes_max, needs_key: spec.cleanup != CleanupPolicy::Delete }
    }

    /// Checks that the topic takes the record.
    #[inline]
    pub(crate) fn check(&self, record: &ProducerRecord) -> Result<(), Refused> {
        if self.needs_key && record.key.is_none() {
            return Err(Refused::NoKey { topic: record.topic.clone() });
        }
        match self.record_bytes_max {
            Some(most) if record.size() + record.headers.size() > most => {
                let bytes = record.size() + record.headers.size();
                Err(Refused::TooLarge { topic: record.topic.clone(), bytes, most })
            }
            _ => Ok(()),
        }
    }
}
