//! The topic that each record chooses.

use std::{collections::BTreeMap, sync::Arc};

use super::Failure;
use crate::{record::Record, transport::Topic};

/// Chooses a topic's name from a record.
pub(crate) type TopicChooser<K, V> = Arc<dyn Fn(&Record<K, V>) -> String + Send + Sync>;

/// Chooses a record's topic among known ones.
pub(crate) struct TopicChoice<K, V> {
    pub(crate) choose: TopicChooser<K, V>,
    /// The topics that may be chosen, with their partition counts.
    pub(crate) known: Arc<BTreeMap<Topic, i32>>,
    /// Whether the sink declares its topics. Otherwise the known ones are those that existed when the log was last looked at.
    pub(crate) declared: bool,
}

impl<K, V> TopicChoice<K, V> {
    /// The record's topic and its number of partitions.
    pub(crate) fn topic_of(&self, record: &Record<K, V>) -> Result<(Topic, i32), Box<Failure>> {
        let chosen = (self.choose)(record);
        match self.known.get_key_value(chosen.as_str()) {
            Some((topic, partitions)) => Ok((topic.clone(), *partitions)),
            None => Err(self.unknown(&chosen).into()),
        }
    }

    #[cold]
    fn unknown(&self, chosen: &str) -> Failure {
        let text = if self.declared {
            let known: Vec<_> = self.known.keys().map(|topic| format!("'{topic}'")).collect();
            format!("the record chose topic '{chosen}', but its sink declares {}: add it there", known.join(", "))
        } else {
            format!(
                "the record chose topic '{chosen}', which does not exist, or not for as long as `metadata_max_age`: \
                 create topics before records choose them"
            )
        };
        Failure::User(text.into())
    }
}
