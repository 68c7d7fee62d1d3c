//! What the application is fed: a function of partition and number.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tidemill::{
    Clock, SystemClock,
    transport::{Headers, Producer, ProducerRecord, TransportError},
};

use super::topology::{INPUTS, WINDOW_MS};
use crate::{Site, Tested};

const HOUR_MS: i64 = 60 * 60 * 1000;
pub(crate) const PARTITIONS: i32 = 3;
const CHANNELS: i64 = 3;
const USERS: i64 = 7;

/// Event time begins some hours ago. Not at the epoch: after a restart a broker forgets producers whose last record is
/// older than a day (`producer.id.expiration.ms`), by event time, and then takes for new what it has already.
fn begin_ms() -> i64 {
    static BEGIN: LazyLock<i64> = LazyLock::new(|| (SystemClock.now_ms() - 3 * HOUR_MS) / WINDOW_MS * WINDOW_MS);
    *BEGIN
}

/// When every window of the input is closed. Still in the past, for a broker refuses what is too far in the future.
pub(crate) fn future_ms() -> i64 {
    begin_ms() + 2 * HOUR_MS
}

/// One record, before it belongs to a topic of its scenario.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) topic: &'static str,
    pub(crate) partition: i32,
    pub(crate) timestamp: i64,
    pub(crate) key: String,
    pub(crate) text: String,
}

/// The records of these numbers: one chat and one speech in each partition.
pub(crate) fn entries(numbers: std::ops::Range<i64>) -> impl Iterator<Item = Entry> {
    numbers.flat_map(|number| {
        let places = (0..PARTITIONS).flat_map(|partition| INPUTS.map(|topic| (topic, partition)));
        places.map(move |(topic, partition)| {
            let user = (number * 3 + i64::from(partition)) % USERS;
            Entry {
                topic,
                partition,
                // Out of order now and then, across windows.
                timestamp: begin_ms() + number * 40 + (number * 7919) % (2 * WINDOW_MS),
                key: format!("channel-{partition}-{}", number % CHANNELS),
                text: format!("user-{user} {topic}-{partition}-{number}"),
            }
        })
    })
}

/// Records so far in the future that they close every window of talk.
pub(crate) fn closing() -> impl Iterator<Item = Entry> {
    (0..PARTITIONS).flat_map(|partition| {
        INPUTS.map(|topic| Entry {
            topic,
            partition,
            timestamp: future_ms(),
            key: format!("closing-{partition}"),
            text: format!("closing {topic}"),
        })
    })
}

pub(crate) fn send(site: &Site, producer: &mut dyn Producer, entry: Entry) -> Tested {
    Ok(producer.send(ProducerRecord {
        topic: site.topic(entry.topic),
        partition: entry.partition,
        timestamp: entry.timestamp,
        key: Some(entry.key.into()),
        value: Some(entry.text.into()),
        headers: Headers::new(),
    })?)
}

/// Sends all and waits until they are there.
pub(crate) fn feed(site: &Site, entries: impl IntoIterator<Item = Entry>) -> Tested {
    let mut producer = site.producer()?;
    for entry in entries {
        send(site, producer.as_mut(), entry)?;
    }
    Ok(producer.flush().map(drop)?)
}

/// Feeds until told to stop; gives what it sent. A broker that is away for a while is waited for.
pub(crate) fn feed_until(site: &Site, stop: &AtomicBool) -> Tested<Vec<Entry>> {
    let mut producer = site.producer()?;
    let mut next = 0;
    while !stop.load(Ordering::SeqCst) {
        for entry in entries(next..next + 2) {
            send(site, producer.as_mut(), entry)?;
        }
        next += 2;
        while let Err(error) = producer.flush() {
            match error {
                TransportError::Retriable(_) => {}
                lasting => return Err(lasting.into()),
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(entries(0..next).collect())
}
