//! Finds out whether a subscribed topic was deleted, or whether a broker just does not know it for a moment.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    types::RDKafkaErrorCode as Code,
};

use super::{context::Context, offsets::ANSWER};
use crate::transport::{Topic, TransportError};

/// A topic counts as deleted after this time. Brokers that start or stop may not know existing topics for a while.
const GONE: Duration = Duration::from_secs(15);
/// How long to keep checking while all topics are found: a deletion takes some moments to reach all brokers.
const DOUBT: Duration = Duration::from_secs(5);
/// The pause between two checks of the topics.
const PAUSE: Duration = Duration::from_secs(1);

/// Checks whether all topics of a member exist. A separate thread asks the brokers several times. A topic that stays
/// unknown for a while counts as deleted.
#[derive(Default)]
pub(super) struct Doubt {
    /// When a topic was last reported missing. `None` if no check is needed.
    since: Option<Instant>,
    /// Since when a topic has been unknown.
    unknown_since: Option<Instant>,
    /// The running check.
    asked: Option<Receiver<Option<Topic>>>,
    answered: Option<Instant>,
}

impl Doubt {
    /// Starts checking, because a topic may have been deleted.
    pub(super) fn arises(&mut self) {
        self.since = Some(Instant::now());
    }

    /// Takes the result of the last check and starts the next one. Does not wait.
    pub(super) fn settle(
        &mut self,
        client: &Arc<BaseConsumer<Context>>,
        topics: &[Topic],
    ) -> Result<(), TransportError> {
        let Some(since) = self.since else { return Ok(()) };
        match self.asked.as_ref().map(Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => return Ok(()),
            Some(Ok(Some(topic))) => {
                let unknown_since = *self.unknown_since.get_or_insert_with(Instant::now);
                if unknown_since.elapsed() > GONE {
                    return Err(TransportError::UnknownTopic(topic.to_string()));
                }
            }
            Some(Ok(None)) => {
                self.unknown_since = None;
                if since.elapsed() > DOUBT {
                    *self = Self::default();
                    return Ok(());
                }
            }
            // Unreachable brokers tell nothing about the topics.
            Some(Err(TryRecvError::Disconnected)) => self.unknown_since = None,
            None => {}
        }
        if self.asked.take().is_some() {
            self.answered = Some(Instant::now());
        }
        if self.answered.is_none_or(|answered| answered.elapsed() >= PAUSE) {
            self.asked = Some(ask(client, topics.to_vec()));
        }
        Ok(())
    }
}

/// Looks for a topic that the brokers do not know. The channel closes without an answer if no broker answers.
fn ask(client: &Arc<BaseConsumer<Context>>, topics: Vec<Topic>) -> Receiver<Option<Topic>> {
    let (answer, asked) = bounded(1);
    let client = Arc::clone(client);
    let spawned = std::thread::Builder::new().name("missing-topics".to_owned()).spawn(move || {
        let found = topics.into_iter().map(|topic| Some((is_unknown(&client, &topic)?, topic)));
        let found: Option<Vec<_>> = found.collect();
        // The client is dropped before the answer is sent. Otherwise this thread could hold the last reference and
        // leave the group itself.
        drop(client);
        if let Some(found) = found {
            // The member may have been closed meanwhile.
            let _ = answer.send(found.into_iter().find_map(|(is_unknown, topic)| is_unknown.then_some(topic)));
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "cannot start the thread that checks the topics");
    }
    asked
}

/// Whether a broker reports the topic as unknown. `None` if no broker answers.
fn is_unknown(client: &BaseConsumer<Context>, topic: &Topic) -> Option<bool> {
    let metadata = client.fetch_metadata(Some(topic), ANSWER).ok()?;
    let found = metadata.topics().iter().find(|found| found.name() == &**topic);
    let code = found.map(|found| found.error().map(Code::from));
    Some(matches!(code, None | Some(Some(Code::UnknownTopicOrPartition | Code::UnknownTopic))))
}
