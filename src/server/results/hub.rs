//! Follows the result topics and passes each result to the pages that follow its key.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tidemill::{
    Windowed, WindowedCodec, partition_for,
    state::{Codec, CodecError, Utf8},
    transport::{ConsumedRecord, Fetched, Offset, TopicPartition, Transport as _, TransportError},
};
use tokio::sync::broadcast;

use super::place::{Event, Last, Passed, Place};
use crate::{
    apps::{App, Format, Retention, ToJson},
    server::{
        engine::Engine,
        late::Late,
        log::{Log, scan},
    },
};

/// The most results that wait for a slow page. Beyond that, the page reads results from the log again.
const BEHIND: usize = 64;
/// The most records that one read returns.
const BATCH: usize = 1000;

/// Results of an owner that are no longer valid, by topic and key: those before the offset were deleted, or published
/// again. The log keeps them until it is compacted.
pub(super) type Outdated = HashMap<(usize, Bytes), Offset>;

type Channels = HashMap<(App, String), broadcast::Sender<Passed>>;

/// The pages that follow results, by application and key.
pub(in crate::server) struct Hub {
    pub(super) log: Log,
    /// Functions that turn values into JSON for pages, one for each result topic.
    pub(super) to_json: HashMap<App, Vec<ToJson>>,
    channels: Mutex<Channels>,
    late: Arc<Late>,
    /// How long results stay.
    pub(super) kept: Retention,
    closing: AtomicBool,
}

impl Hub {
    /// `late` gets the reports of late events.
    pub(in crate::server) fn new(engine: &Engine, late: Arc<Late>) -> Self {
        let to_json = engine.settings().apps.iter().map(|app| (*app, to_json(app, engine.format()))).collect();
        let closing = AtomicBool::new(false);
        let kept = engine.settings().result_retention;
        Self { log: engine.log().clone(), to_json, channels: Mutex::default(), late, kept, closing }
    }

    pub(in crate::server) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.channels().clear();
    }

    fn channels(&self) -> std::sync::MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes to the results of a key from now on.
    pub(super) fn subscribe(&self, app: App, key: &str) -> broadcast::Receiver<Passed> {
        let mut channels = self.channels();
        channels.retain(|_, sender| sender.receiver_count() > 0);
        channels.entry((app, key.to_owned())).or_insert_with(|| broadcast::channel(BEHIND).0).subscribe()
    }

    /// Passes news of this instance to the pages that follow an owner here. `data` is JSON in one line.
    pub(in crate::server) fn tell(&self, app: App, key: &str, name: &'static str, data: &str) {
        if let Some(sender) = self.channels().get(&(app, key.to_owned())) {
            // If no receiver is left, the news are not needed.
            let _ = sender.send(Passed::News { name, data: data.into() });
        }
    }

    /// Passes results to pages until the server closes. Blocks.
    pub(in crate::server) fn follow(&self, apps: &[App]) {
        self.repeat("results cannot be read from the log", || self.follow_from_end(apps));
    }

    /// Repeats work after a pause until it succeeds, or until the server closes.
    fn repeat<T>(&self, failure: &str, work: impl Fn() -> Result<T, TransportError>) -> Option<T> {
        while !self.closing.load(Ordering::SeqCst) {
            match work() {
                Ok(done) => return Some(done),
                Err(error) => tracing::warn!(%error, "{failure}, trying again"),
            }
            std::thread::park_timeout(Duration::from_millis(500));
        }
        None
    }

    fn follow_from_end(&self, apps: &[App]) -> Result<(), TransportError> {
        let mut reader = self.log.transport().reader()?;
        let mut from = Vec::new();
        for results in apps.iter().flat_map(|app| app.results) {
            for partition in 0..self.log.partitions(results.topic)? {
                let partition = TopicPartition::new(results.topic, partition);
                let high = reader.watermarks(&partition)?.high;
                from.push((partition, high));
            }
        }
        reader.assign(&from)?;
        while !self.closing.load(Ordering::SeqCst) {
            for Fetched { partition, records } in reader.read(Duration::from_millis(250), BATCH)? {
                let found = apps.iter().find_map(|app| Some((*app, place_of(app, &partition.topic)?)));
                if let Some((app, topic)) = found {
                    for record in records {
                        self.hand_out(app, topic, record);
                    }
                }
            }
        }
        Ok(())
    }

    fn hand_out(&self, app: App, topic: usize, record: ConsumedRecord) {
        let Some(key) = record.key.as_ref().and_then(owner) else { return };
        if app.results[topic].is_late {
            let report = record.value.as_ref().and_then(|value| serde_json::from_slice(value).ok());
            match report {
                Some(report) => self.late.note(app, report, Instant::now()),
                None => self.late.forget(app, &key),
            }
        }
        let Some(sender) = self.channels().get(&(app, key)).cloned() else { return };
        // A result of another version may wait for its schema. The results after it wait, too.
        let event = self.repeat("a result waits for its schema", || self.event(app, topic, &record));
        if let Some(event) = event.flatten() {
            // If no receiver is left, the event is not needed.
            let _ = sender.send(Passed::Result(Arc::new(event)));
        }
    }

    /// The event of a record; `None` for a tombstone and for a result that cannot be read.
    fn event(&self, app: App, topic: usize, record: &ConsumedRecord) -> Result<Option<Event>, TransportError> {
        let Some(value) = record.value.clone() else { return Ok(None) };
        let (offset, timestamp, name) = (record.offset, record.timestamp, app.results[topic].event);
        match self.to_json[&app][topic](value) {
            Ok(data) => Ok(Some(Event { topic, offset, timestamp, name, data })),
            Err(CodecError::NotYet { reason }) => Err(TransportError::Retriable(reason.into())),
            Err(error) => {
                tracing::warn!(topic = app.results[topic].topic, offset, %error, "a result cannot be read");
                Ok(None)
            }
        }
    }

    /// Whether a page's place belongs to this log: no offset is beyond the log's end, and the last result of the page is
    /// where it says, unless the log has deleted it. Blocks.
    pub(super) fn knows(&self, app: App, key: &str, place: &mut Place) -> Result<bool, TransportError> {
        for (topic, results) in app.results.iter().enumerate() {
            let partition = self.partition(results.topic, key)?;
            if *place.of(topic) > self.log.read(|reader| reader.watermarks(&partition))?.high {
                return Ok(false);
            }
        }
        let Some(Last { topic, timestamp }) = place.last() else { return Ok(true) };
        let partition = self.partition(app.results[topic].topic, key)?;
        let offset = *place.of(topic) - 1;
        let mut is_same = true;
        let compare = |record: ConsumedRecord| {
            is_same = record.offset != offset || record.timestamp == timestamp;
            false
        };
        self.log.read(|reader| scan(reader, &partition, offset, compare))?;
        Ok(is_same)
    }

    /// The results of an owner behind a place that were deleted or published again. Blocks.
    pub(super) fn outdated(&self, app: App, key: &str, place: &mut Place) -> Result<Outdated, TransportError> {
        let mut outdated = Outdated::new();
        for (topic, results) in app.results.iter().enumerate() {
            let partition = self.partition(results.topic, key)?;
            let mut once = HashSet::new();
            let mut take = |record: ConsumedRecord| {
                if let Some(raw) = record.key.filter(|raw| owner(raw).as_deref() == Some(key))
                    && (record.value.is_none() || !once.insert(raw.clone()))
                {
                    outdated.insert((topic, raw), record.offset);
                }
                true
            };
            self.log.read(|reader| scan(reader, &partition, *place.of(topic), &mut take))?;
        }
        Ok(outdated)
    }

    /// Reads results of a key from a place on, in the order of their times, without those that are `outdated`: the first
    /// `most` results, or with `newest` the last `most` results. Moves the place behind the results that were read.
    /// Returns whether there may be more. Blocks.
    pub(super) fn catch_up(
        &self,
        app: App,
        key: &str,
        place: &mut Place,
        outdated: &Outdated,
        most: usize,
        newest: bool,
    ) -> Result<(Vec<(Event, Place)>, bool), TransportError> {
        let mut events = Vec::new();
        let mut more = false;
        let mut ends = place.clone();
        for (topic, results) in app.results.iter().enumerate() {
            let partition = self.partition(results.topic, key)?;
            let mut found = VecDeque::new();
            let mut waits = None;
            let mut take = |record: ConsumedRecord| {
                let Some(raw) = record.key.clone().filter(|raw| owner(raw).as_deref() == Some(key)) else {
                    return true;
                };
                if outdated.get(&(topic, raw.clone())).is_some_and(|at| record.offset < *at) {
                    return true;
                }
                match self.event(app, topic, &record) {
                    Ok(event) => {
                        // A result that was published again meanwhile replaces the earlier one.
                        if event.is_some() || record.value.is_none() {
                            found.retain(|(earlier, _)| *earlier != raw);
                        }
                        found.extend(event.map(|event| (raw, event)));
                    }
                    Err(error) => {
                        waits = Some(error);
                        return false;
                    }
                }
                if newest && found.len() > most {
                    found.pop_front();
                }
                newest || found.len() < most
            };
            *ends.of(topic) = self.log.read(|reader| scan(reader, &partition, *place.of(topic), &mut take))?;
            if let Some(error) = waits {
                return Err(error);
            }
            more |= !newest && found.len() >= most;
            events.push(found.into_iter().map(|(_, event)| event).collect::<VecDeque<_>>());
        }
        // Results of one topic keep their order. Results of different topics are merged by time.
        let mut merged = Vec::new();
        let first = |events: &[VecDeque<Event>]| {
            let heads = events.iter().enumerate().filter_map(|(topic, found)| Some((found.front()?.timestamp, topic)));
            heads.min().map(|(_, topic)| topic)
        };
        while let Some(event) = first(&events).and_then(|topic| events[topic].pop_front()) {
            place.pass(&event);
            merged.push((event, place.clone()));
        }
        if !more {
            *place = ends;
        }
        Ok((merged, more))
    }

    /// The keys of all results of an owner, each with topic and partition. Blocks.
    pub(in crate::server) fn keys_of_results(
        &self,
        app: App,
        key: &str,
    ) -> Result<Vec<(&'static str, i32, Bytes)>, TransportError> {
        let mut keys = Vec::new();
        for results in app.results {
            let partition = self.partition(results.topic, key)?;
            let mut take = |record: ConsumedRecord| {
                if let Some(raw) = record.key.filter(|raw| owner(raw).as_deref() == Some(key))
                    && record.value.is_some()
                {
                    keys.push((results.topic, partition.partition, raw));
                }
                true
            };
            self.log.read(|reader| scan(reader, &partition, 0, &mut take))?;
        }
        // A result that was published again has one key.
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// The partition of a topic that holds a key's records.
    pub(in crate::server) fn partition(&self, topic: &str, key: &str) -> Result<TopicPartition, TransportError> {
        let partition = partition_for(Some(key.as_bytes()), self.log.partitions(topic)?);
        Ok(TopicPartition::new(topic, partition))
    }
}

/// For each result topic, in the application's order, the function that turns its values into JSON.
fn to_json(app: App, format: &Format) -> Vec<ToJson> {
    app.results.iter().map(|results| (results.to_json)(format, results.topic)).collect()
}

fn place_of(app: App, topic: &str) -> Option<usize> {
    app.results.iter().position(|results| results.topic == topic)
}

fn owner(key: &Bytes) -> Option<String> {
    let Windowed { key, .. }: Windowed<String> = WindowedCodec::new(Utf8).decode(key.clone()).ok()?;
    Some(key)
}
