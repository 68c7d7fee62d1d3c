//! Notes on the stores topic: which operator wrote each store. The topic also tells a machine that has none of the
//! store's rows.
//!
//! The notes are on their own topic and not in the changelogs. A user's key-value store may hold any key, also the key
//! of a note, and compaction keeps only the last record of each key.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    clock::Clock,
    error::chain,
    graph::{StoreFormat, StoreSpec},
    plan::Plan,
    transport::{
        Headers, ProducerConfig, ProducerRecord, Reader, TopicPartition, Transport, TransportError, read_to_end,
    },
};

/// The pause before a new topic is asked about again.
const WAIT: Duration = Duration::from_millis(100);

/// How often to ask about a new topic that some brokers do not know yet.
const TRIES: usize = 20;

/// Compares the plan's stores with their notes, and adds the missing notes. A store with an empty changelog may change
/// its format.
pub(super) fn check(transport: &dyn Transport, plan: &Plan, clock: &dyn Clock) -> Vec<String> {
    let failed =
        |error: &TransportError| vec![format!("the formats of the stores cannot be read or noted: {}", chain(error))];
    compare(transport, plan, clock).unwrap_or_else(|error| failed(&error))
}

fn compare(transport: &dyn Transport, plan: &Plan, clock: &dyn Clock) -> Result<Vec<String>, TransportError> {
    let logged: Vec<_> = plan.graph().stores.values().filter(|store| store.logged).collect();
    if logged.is_empty() {
        return Ok(Vec::new());
    }
    let topic = TopicPartition { topic: plan.stores_topic(), partition: 0 };
    let mut reader = transport.reader()?;
    let noted = read(&mut *reader, &topic, clock)?;
    let (mut problems, mut news) = (Vec::new(), Vec::new());
    for store in logged {
        let mut was = noted.get(&*store.name).cloned().unwrap_or_default();
        if let Some(difference) = store.format.difference(&was) {
            if holds_something(transport, &mut *reader, (plan, store), clock)? {
                problems.push(format!(
                    "store '{}' was written by another topology: {difference}. Give the store another name, or reset \
                     the application: delete its internal topics, committed offsets and state folders",
                    store.name
                ));
                continue;
            }
            was = StoreFormat::default();
        }
        news.extend(store.format.added_to(&was).map(|format| (store.name.clone(), format)));
    }
    // If there are problems, the application does not start, so nothing is written.
    if problems.is_empty() && !news.is_empty() {
        let mut producer = transport.producer(&ProducerConfig::default())?;
        for (store, format) in news {
            producer.send(ProducerRecord {
                topic: topic.topic.clone(),
                partition: topic.partition,
                timestamp: clock.now_ms(),
                key: Some(store.to_string().into()),
                value: Some(format.encode().into()),
                headers: Headers::new(),
            })?;
        }
        producer.flush()?;
    }
    Ok(problems)
}

/// All notes, by store.
fn read(
    reader: &mut dyn Reader,
    topic: &TopicPartition,
    clock: &dyn Clock,
) -> Result<BTreeMap<String, StoreFormat>, TransportError> {
    let (low, end) = patiently(clock, || Ok((reader.watermarks(topic)?.low, reader.end(topic)?)))?;
    let mut noted = BTreeMap::new();
    read_to_end(reader, topic, low, end, |record| {
        let text = |bytes: Option<bytes::Bytes>| String::from_utf8(bytes?.into()).ok();
        match (text(record.key), text(record.value)) {
            (Some(store), Some(format)) => drop(noted.insert(store, StoreFormat::decode(&format))),
            (Some(store), None) => drop(noted.remove(&store)),
            (None, _) => {}
        }
        true
    })?;
    Ok(noted)
}

/// Repeats the request, because some brokers may not know a new topic yet.
fn patiently<T>(clock: &dyn Clock, mut ask: impl FnMut() -> Result<T, TransportError>) -> Result<T, TransportError> {
    for _ in 1..TRIES {
        match ask() {
            Err(
                TransportError::UnknownTopic(_) | TransportError::UnknownPartition(_) | TransportError::Retriable(_),
            ) => clock.sleep(WAIT),
            answer => return answer,
        }
    }
    ask()
}

fn holds_something(
    transport: &dyn Transport,
    reader: &mut dyn Reader,
    (plan, store): (&Plan, &StoreSpec),
    clock: &dyn Clock,
) -> Result<bool, TransportError> {
    let topic = plan.changelog(&store.name);
    let partitions = match plan.subtopology_of_store(&store.name).map_or(0, |number| plan.task_count(number)) {
        // No topic matches a pattern now. The changelog may be there from a time when one did.
        0 => transport.admin()?.describe_topic(&topic)?.map_or(0, |found| found.partitions),
        tasks => tasks,
    };
    for partition in 0..partitions {
        let changelog = TopicPartition { topic: topic.clone(), partition };
        let (low, end) = patiently(clock, || Ok((reader.watermarks(&changelog)?.low, reader.end(&changelog)?)))?;
        if low < end {
            return Ok(true);
        }
    }
    Ok(false)
}
