//! Turns events of a chat into records of live insight's topics.

use std::collections::HashMap;

use bytes::Bytes;
use tidemill::{
    partition_for,
    state::{Codec as _, Json},
    transport::{Headers, ProducerRecord, Topic},
};
use tidemill_chat::{ChatEvent, Message};
use tidemill_schemas::{Arrival, ChatMessage, FieldError, TranscriptSegment, describe_errors, validate_id};
use tidemill_speech::Segment;

use crate::apps::{
    Format, Incoming, Wire, Withdrawal,
    live_insight::{CHAT, MESSAGE, TRANSCRIPT, VIEWER, WITHDRAWALS},
};

use super::{POSITIONS, Progress, SOURCES};

/// The topics that connectors write.
const WRITTEN: [&str; 5] = [CHAT, TRANSCRIPT, WITHDRAWALS, POSITIONS, SOURCES];

/// Makes records.
pub(super) struct Records {
    chat: Wire<ChatMessage>,
    speech: Wire<TranscriptSegment>,
    topics: HashMap<&'static str, (Topic, i32)>,
}

/// What became of the events of a batch.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) records: Vec<ProducerRecord>,
    /// Messages among the records.
    pub(super) messages: u64,
    /// Messages that live insight cannot take.
    pub(super) left_out: u64,
}

impl Records {
    /// Makes records for topics whose numbers of partitions `partitions` tells.
    pub(super) fn new<E>(format: &Format, partitions: impl Fn(&str) -> Result<i32, E>) -> Result<Self, E> {
        let topics = WRITTEN.map(|topic| Ok((topic, (Topic::from(topic), partitions(topic)?))));
        let topics = topics.into_iter().collect::<Result<_, E>>()?;
        Ok(Self { chat: format.codec(CHAT), speech: format.codec(TRANSCRIPT), topics })
    }

    /// The number of partitions of a topic that connectors write.
    pub(super) fn partitions(&self, topic: &'static str) -> i32 {
        self.topics[topic].1
    }

    /// The records of a stream's events. An event that live insight cannot take is counted and left out: the chat goes
    /// on.
    pub(super) fn of(&self, stream_id: &str, events: Vec<ChatEvent>, arrival: Arrival) -> Made {
        let mut made = Made::default();
        for event in events {
            let is_message = matches!(event, ChatEvent::Message(_));
            match self.one(stream_id, event, arrival) {
                Ok(record) => {
                    made.records.push(record);
                    made.messages += u64::from(is_message);
                }
                Err(errors) => {
                    tracing::debug!(stream = %stream_id, errors = %describe_errors(&errors), "an event is left out");
                    made.left_out += 1;
                }
            }
        }
        made
    }

    /// The record of a piece of speech; `None` if live insight cannot take it. The same speech has the same time again, by
    /// which live insight knows it.
    pub(super) fn said(&self, stream_id: &str, segment: Segment, arrival: Arrival) -> Option<ProducerRecord> {
        let Segment { text, start_ms, end_ms, .. } = segment;
        let duration_ms = Some(end_ms.saturating_sub(start_ms).max(0));
        let said = TranscriptSegment { stream_id: stream_id.to_owned(), text, timestamp: start_ms, duration_ms };
        let incoming = said.validate(arrival);
        let incoming = incoming.and_then(|()| Incoming::new(&self.speech, stream_id, &said, start_ms));
        match incoming {
            Ok(incoming) => Some(self.record(TRANSCRIPT, incoming)),
            Err(errors) => {
                tracing::debug!(stream = %stream_id, errors = %describe_errors(&errors), "speech is left out");
                None
            }
        }
    }

    fn one(&self, stream_id: &str, event: ChatEvent, arrival: Arrival) -> Result<ProducerRecord, Vec<FieldError>> {
        let withdrawal = |part: &str, id: String, requested_ms: i64| {
            validate_id("id", &id)?;
            let withdrawal = Withdrawal { part: part.to_owned(), id, requested_ms };
            let incoming = Incoming::new(&Json::<Withdrawal>::default(), stream_id, &withdrawal, requested_ms)?;
            Ok(self.record(WITHDRAWALS, incoming))
        };
        match event {
            ChatEvent::Message(message) => {
                let chat = chat_message(stream_id, message);
                chat.validate(arrival)?;
                Ok(self.record(CHAT, Incoming::new(&self.chat, stream_id, &chat, chat.timestamp)?))
            }
            ChatEvent::Deleted { message_id } => withdrawal(MESSAGE, message_id, arrival.now_ms),
            // What the viewer writes after the ban was told counts: not every ban is for ever.
            ChatEvent::Banned { user_id, timestamp_ms, .. } => {
                withdrawal(VIEWER, user_id, timestamp_ms.clamp(0, arrival.now_ms))
            }
        }
    }

    /// The record of a stream's progress; `None` erases the progress.
    pub(super) fn progress(&self, stream_id: &str, progress: Option<&Progress>, now_ms: i64) -> ProducerRecord {
        let value = progress.map(|progress| {
            Json::default().encode(progress).ok().flatten().expect("progress has only texts and numbers")
        });
        self.keyed(POSITIONS, stream_id, value, now_ms)
    }

    fn record(&self, topic: &'static str, Incoming { key, value, timestamp }: Incoming) -> ProducerRecord {
        self.keyed(topic, &key, Some(value.into()), timestamp)
    }

    fn keyed(&self, topic: &'static str, key: &str, value: Option<Bytes>, timestamp: i64) -> ProducerRecord {
        let (topic, partitions) = &self.topics[topic];
        let (partition, key) = (partition_for(Some(key.as_bytes()), *partitions), Some(key.to_owned().into()));
        ProducerRecord { topic: topic.clone(), partition, timestamp, key, value, headers: Headers::new() }
    }
}

fn chat_message(stream_id: &str, message: Message) -> ChatMessage {
    let Message { id, user_id, user_name, text, amount, membership, timestamp_ms, .. } = message;
    let (id, stream_id) = (Some(id).filter(|id| !id.is_empty()), stream_id.to_owned());
    ChatMessage { id, stream_id, user_id, user_name, text, amount, membership, timestamp: timestamp_ms }
}
