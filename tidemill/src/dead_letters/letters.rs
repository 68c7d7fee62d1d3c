//! Lists the dead letters of an application.

use std::{fmt, sync::Arc};

use super::{DeadLetter, DeadLetterFilter, notes::Notes};
use crate::{
    config::StreamsConfig,
    transport::{Offset, Topic, TopicPartition, Transport, TransportError, Watermarks, read_to_end},
};

/// The dead letters of an application. See the example of [`dead_letters`](crate::dead_letters).
///
/// It needs no running application. Several programs may use it at the same time.
#[derive(Clone)]
pub struct DeadLetters {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) application_id: String,
    pub(super) topics: Vec<Topic>,
}

impl DeadLetters {
    /// The dead letters of an application on these topics. Several applications may share a topic.
    ///
    /// ```
    /// use tidemill::dead_letters::{DeadLetterFilter, DeadLetters};
    /// # use tidemill::transport::embedded::EmbeddedLog;
    /// # let log = EmbeddedLog::in_memory();
    /// # log.create("bad-orders", 1)?;
    ///
    /// let letters = DeadLetters::new(log, "orders", ["bad-orders"]);
    /// assert!(letters.list(&DeadLetterFilter::default())?.is_empty());
    /// # Ok::<(), tidemill::transport::TransportError>(())
    /// ```
    pub fn new<T: Into<Topic>>(
        transport: impl Transport,
        application_id: impl Into<String>,
        topics: impl IntoIterator<Item = T>,
    ) -> Self {
        let mut topics: Vec<Topic> = topics.into_iter().map(Into::into).collect();
        topics.sort();
        topics.dedup();
        Self { transport: Arc::new(transport), application_id: application_id.into(), topics }
    }

    /// The dead letters of an application with this configuration: those of all its handlers. See the example of
    /// [`dead_letters`](crate::dead_letters).
    pub fn of(transport: impl Transport, config: &StreamsConfig) -> Self {
        Self::new(transport, &*config.application_id, config.dead_letter_topics())
    }

    /// The letters that a filter chooses, by topic, partition and offset. The whole topics are read.
    ///
    /// # Errors
    ///
    /// [`TransportError::UnknownTopic`] if a dead-letter topic does not exist; all errors of reading the log.
    pub fn list(&self, filter: &DeadLetterFilter) -> Result<Vec<DeadLetter>, TransportError> {
        let replayed = Notes::of(&self.application_id).read(&*self.transport)?;
        let (mut admin, mut found) = (self.transport.admin()?, Vec::new());
        let most = filter.limit.unwrap_or(usize::MAX);
        for topic in &self.topics {
            let spec = admin.describe_topic(topic)?;
            let spec = spec.ok_or_else(|| TransportError::UnknownTopic(topic.to_string()))?;
            for partition in 0..spec.partitions {
                self.scan(topic, partition, 0, |mut letter| {
                    letter.replayed = replayed.has(&letter);
                    if found.len() < most && filter.matches(&letter) {
                        found.push(letter);
                    }
                    found.len() < most
                })?;
            }
        }
        Ok(found)
    }

    /// Reads the application's letters of a partition, until `take` returns false.
    pub(super) fn scan(
        &self,
        topic: &Topic,
        partition: i32,
        from: Offset,
        mut take: impl FnMut(DeadLetter) -> bool,
    ) -> Result<(), TransportError> {
        let (mut reader, place) = (self.transport.reader()?, TopicPartition::new(topic.clone(), partition));
        let Watermarks { low, high } = reader.watermarks(&place)?;
        read_to_end(&mut *reader, &place, from.max(low), high, |record| {
            let letter = DeadLetter::read(topic, partition, record);
            // A letter of another writer does not tell its application.
            let is_ours = letter.application.as_ref().is_none_or(|application| *application == self.application_id);
            !is_ours || take(letter)
        })
    }
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { application_id, topics, .. } = self;
        f.debug_struct("DeadLetters")
            .field("application_id", application_id)
            .field("topics", topics)
            .finish_non_exhaustive()
    }
}
