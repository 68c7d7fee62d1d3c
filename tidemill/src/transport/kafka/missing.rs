//! Finds out whether a topic that a member reads is gone, or whether a broker does not know of it for a moment.

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

/// Brokers that start or stop may not know of topics that exist. Who gives up for one of them had better be sure.
const GONE: Duration = Duration::from_secs(15);
/// For how long a doubt stays that the answers do not bear out: a deletion takes moments to reach all brokers.
const DOUBT: Duration = Duration::from_secs(5);
/// Between two questions for the same topics.
const PAUSE: Duration = Duration::from_secs(1);

/// A doubt whether all topics of a member are there. Brokers are asked beside the member, some times, and what none of
/// them knows for a while is gone.
#[derive(Default)]
pub(super) struct Doubt {
    /// When it last arose; `None` if there is none.
    since: Option<Instant>,
    /// Since when a topic is unknown.
    unknown_since: Option<Instant>,
    /// The question that is out.
    asked: Option<Receiver<Option<Topic>>>,
    answered: Option<Instant>,
}

impl Doubt {
    /// Something may have happened to a topic.
    pub(super) fn arises(&mut self) {
        self.since = Some(Instant::now());
    }

    /// Takes the answer to the last question, and asks the next. Waits for nothing.
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
            // Brokers that are away know nothing of any topic.
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

/// Asks for a topic that brokers do not know. No answer comes from brokers that are away.
fn ask(client: &Arc<BaseConsumer<Context>>, topics: Vec<Topic>) -> Receiver<Option<Topic>> {
    let (answer, asked) = bounded(1);
    let client = Arc::clone(client);
    let spawned = std::thread::Builder::new().name("missing-topics".to_owned()).spawn(move || {
        let found = topics.into_iter().map(|topic| Some((is_unknown(&client, &topic)?, topic)));
        let found: Option<Vec<_>> = found.collect();
        // Before the answer, so that a member that leaves does not leave from here.
        drop(client);
        if let Some(found) = found {
            // Whoever asked may have left.
            let _ = answer.send(found.into_iter().find_map(|(is_unknown, topic)| is_unknown.then_some(topic)));
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "a thread that asks for topics cannot be started");
    }
    asked
}

/// Whether a broker says that it does not know a topic; `None` if no broker says anything.
fn is_unknown(client: &BaseConsumer<Context>, topic: &Topic) -> Option<bool> {
    let metadata = client.fetch_metadata(Some(topic), ANSWER).ok()?;
    let found = metadata.topics().iter().find(|found| found.name() == &**topic);
    let code = found.map(|found| found.error().map(Code::from));
    Some(matches!(code, None | Some(Some(Code::UnknownTopicOrPartition | Code::UnknownTopic))))
}
