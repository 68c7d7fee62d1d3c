//! The embedded log keeps its promises, in memory and on disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    thread,
    time::{Duration, Instant},
};

use tidemill::{
    ManualClock,
    transport::{
        Acknowledged, CleanupPolicy, CommittedOffset, Consumed, Consumer, ConsumerConfig, GroupMetadata, Headers,
        Polled, Producer, ProducerConfig, ProducerRecord, Rebalance, Topic, TopicPartition, TopicSpec, Transport,
        TransportError, Watermarks,
        embedded::{EmbeddedLog, Entry},
    },
};

type Tested = Result<(), Box<dyn Error>>;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A place where a log lives, and its time.
struct Place {
    clock: ManualClock,
    folder: Option<tempfile::TempDir>,
}

impl Place {
    #[cfg_attr(not(feature = "rocksdb"), expect(clippy::unnecessary_wraps, reason = "only a disk can fail"))]
    fn open(&self) -> Result<EmbeddedLog, TransportError> {
        let builder = EmbeddedLog::builder().clock(self.clock.clone());
        match &self.folder {
            #[cfg(feature = "rocksdb")]
            Some(folder) => builder.memory_bytes(0).open(folder.path()),
            _ => Ok(builder.in_memory()),
        }
    }

    fn advance(&self, ms: i64) {
        self.clock.advance(Duration::from_millis(ms.unsigned_abs()));
    }
}

/// Runs a test in memory and, with `RocksDB`, on disk, where hardly anything is cached.
fn everywhere(test: impl Fn(&Place, EmbeddedLog) -> Tested) -> Tested {
    let clock = || ManualClock::new(1_700_000_000_000);
    let mut places = vec![Place { clock: clock(), folder: None }];
    if cfg!(feature = "rocksdb") {
        places.push(Place { clock: clock(), folder: Some(tempfile::tempdir()?) });
    }
    for place in places {
        test(&place, place.open()?)?;
    }
    Ok(())
}

fn member(log: &EmbeddedLog, client_id: &str, topics: &[&str]) -> Result<Box<dyn Consumer>, TransportError> {
    let mut consumer = log.consumer(&ConsumerConfig {
        group: "group".to_owned(),
        client_id: client_id.to_owned(),
        instance_id: None,
        session_timeout: Duration::from_secs(10),
        max_poll_records: 100,
    })?;
    let topics: Vec<Topic> = topics.iter().map(|topic| Topic::from(*topic)).collect();
    consumer.subscribe(&topics)?;
    Ok(consumer)
}

fn transactional(log: &EmbeddedLog) -> Result<Box<dyn Producer>, TransportError> {
    let mut producer = log.producer(&ProducerConfig { transactional_id: Some("id".to_owned()) })?;
    producer.init_transactions()?;
    Ok(producer)
}

fn record(topic: &str, partition: i32, value: &str) -> ProducerRecord {
    ProducerRecord {
        topic: topic.into(),
        partition,
        timestamp: 1,
        key: Some("key".into()),
        value: Some(value.to_owned().into()),
        headers: Headers::new(),
    }
}

fn at(offset: i64) -> CommittedOffset {
    CommittedOffset { offset, metadata: format!("time {offset}") }
}

fn numbered(count: i64) -> impl Iterator<Item = Entry> {
    (0..count).map(|number| Entry::new(format!("key-{number}"), format!("value-{number}"), number))
}

fn values(log: &EmbeddedLog, topic: &str) -> Result<Vec<String>, TransportError> {
    let text = |record: tidemill::transport::ConsumedRecord| {
        record.value.map_or("-".to_owned(), |value| String::from_utf8_lossy(&value).into_owned())
    };
    Ok(log.read_all(topic)?.into_iter().map(|(_, record)| text(record)).collect())
}

fn polled_values(polled: &Polled) -> Vec<String> {
    let records = polled.batches.iter().flat_map(|batch| &batch.records);
    records.map(|record| String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned()).collect()
}

fn spec(name: &str, cleanup: CleanupPolicy, retention: Option<Duration>) -> TopicSpec {
    TopicSpec { name: name.into(), partitions: 1, cleanup, retention }
}

#[test]
fn records_come_back_in_order_with_all_they_carried() -> Tested {
    everywhere(|_, log| {
        log.create("in", 2)?;
        let mut headers = Headers::new();
        headers.push("trace", "abc");
        let mut producer = log.producer(&ProducerConfig::default())?;
        let sent = [
            ProducerRecord { headers: headers.clone(), ..record("in", 1, "a") },
            ProducerRecord { key: None, timestamp: -5, ..record("in", 1, "b") },
            ProducerRecord { value: None, ..record("in", 1, "c") },
        ];
        for record in &sent {
            producer.send(record.clone())?;
        }
        assert_eq!(log.end_offsets("in")?, [0, 0], "nothing is visible before the flush");
        assert_eq!(producer.flush()?, Acknowledged::from([(TopicPartition::new("in", 1), 3)]));
        assert_eq!(producer.flush()?, Acknowledged::new());
        let read = log.read_all("in")?;
        assert_eq!(read.len(), 3);
        for ((offset, sent), (partition, read)) in (0..).zip(&sent).zip(&read) {
            assert_eq!((*partition, read.offset, read.timestamp), (1, offset, sent.timestamp));
            assert_eq!((&read.key, &read.value, &read.headers), (&sent.key, &sent.value, &sent.headers));
        }
        Ok(())
    })
}

#[test]
fn a_long_log_is_read_whole_in_order_and_fairly() -> Tested {
    everywhere(|_, log| {
        log.create("in", 3)?;
        for partition in 0..3 {
            log.append("in", partition, numbered(10_000))?;
        }
        let mut consumer = member(&log, "a", &["in"])?;
        assert_eq!(consumer.poll(Duration::ZERO)?.rebalances.len(), 1);
        let mut next = BTreeMap::new();
        for _ in 0..300 {
            let polled = consumer.poll(Duration::ZERO)?;
            assert_eq!(polled.batches.iter().map(|batch| batch.records.len()).sum::<usize>(), 100);
            assert_eq!(polled.batches.len(), 3, "every partition gets its share");
            for batch in polled.batches {
                let next = next.entry(batch.partition.partition).or_insert(0);
                for record in batch.records {
                    assert_eq!((record.offset, record.timestamp), (*next, *next));
                    *next += 1;
                }
            }
        }
        assert_eq!(next, BTreeMap::from([(0, 10_000), (1, 10_000), (2, 10_000)]));
        assert!(consumer.poll(Duration::ZERO)?.batches.is_empty());
        Ok(())
    })
}

#[test]
fn topics_are_never_made_up() -> Tested {
    everywhere(|_, log| {
        let unknown = |result: Result<(), TransportError>| matches!(result, Err(TransportError::UnknownTopic(_)));
        let mut producer = log.producer(&ProducerConfig::default())?;
        assert!(unknown(producer.send(record("none", 0, "a"))));
        assert!(unknown(member(&log, "a", &["none"]).map(|_| ())));
        log.create("in", 1)?;
        assert!(matches!(producer.send(record("in", 1, "a")), Err(TransportError::UnknownPartition(_))));
        let mut admin = log.admin()?;
        assert!(matches!(log.create("in", 1), Err(TransportError::TopicExists(_))));
        let described = admin.describe_topic("in")?;
        assert_eq!(described, Some(spec("in", CleanupPolicy::Delete, None)));
        assert_eq!(admin.describe_topic("none")?, None);
        assert_eq!(admin.list_topics()?, [Topic::from("in")]);
        Ok(())
    })
}

#[test]
fn a_group_is_forgotten_once_it_has_no_members() -> Tested {
    everywhere(|place, log| {
        log.create("in", 1)?;
        let mut consumer = member(&log, "a", &["in"])?;
        consumer.poll(Duration::ZERO)?;
        consumer.commit(&[(TopicPartition::new("in", 0), at(3))])?;
        let mut admin = log.admin()?;
        let refused = admin.delete_group("group");
        assert!(
            matches!(&refused, Err(TransportError::Invalid(text)) if text.as_str().contains("has members")),
            "{refused:?}"
        );
        drop(consumer);
        admin.delete_group("group")?;
        admin.delete_group("nobody")?;
        assert_eq!(log.groups(), []);
        drop((admin, log));
        if place.folder.is_some() {
            assert_eq!(place.open()?.groups(), []);
        }
        Ok(())
    })
}

#[test]
fn a_topic_created_again_is_empty() -> Tested {
    everywhere(|place, log| {
        log.create("in", 1)?;
        log.append("in", 0, numbered(5))?;
        let mut producer = log.producer(&ProducerConfig::default())?;
        producer.send(record("in", 0, "too late"))?;
        let mut consumer = member(&log, "a", &["in"])?;
        consumer.poll(Duration::ZERO)?;
        consumer.commit(&[(TopicPartition::new("in", 0), at(3))])?;
        log.admin()?.delete_topic("in")?;
        assert!(matches!(producer.flush(), Err(TransportError::UnknownTopic(_))));
        log.create("in", 1)?;
        producer.send(record("in", 0, "new"))?;
        producer.flush()?;
        assert_eq!(values(&log, "in")?, ["new"]);
        let partition = TopicPartition::new("in", 0);
        let rebalances = consumer.poll(Duration::ZERO)?.rebalances;
        let expected = [Rebalance::Lost(vec![partition.clone()]), Rebalance::Assigned(vec![partition.clone()])];
        assert_eq!(rebalances, expected);
        assert_eq!(consumer.committed(&[partition])?, [None]);
        assert_eq!(polled_values(&consumer.poll(Duration::ZERO)?), ["new"]);
        drop((consumer, producer, log));
        if place.folder.is_some() {
            assert_eq!(values(&place.open()?, "in")?, ["new"]);
        }
        Ok(())
    })
}

/// Polls every member until nothing changes, releasing what is asked back, and checks that nobody shares.
fn settle(
    log: &EmbeddedLog,
    members: &mut [(Box<dyn Consumer>, BTreeSet<TopicPartition>)],
) -> Result<(), TransportError> {
    loop {
        let mut changed = false;
        for member in 0..members.len() {
            for rebalance in members[member].0.poll(Duration::ZERO)?.rebalances {
                changed = true;
                let (consumer, owned) = &mut members[member];
                match rebalance {
                    Rebalance::Assigned(partitions) => owned.extend(partitions),
                    Rebalance::Revoked(partitions) => {
                        consumer.release(&partitions)?;
                        owned.retain(|partition| !partitions.contains(partition));
                    }
                    Rebalance::Lost(partitions) => owned.retain(|partition| !partitions.contains(partition)),
                }
                let all: Vec<_> = members.iter().flat_map(|(_, owned)| owned).collect();
                assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len(), "a partition has two owners: {all:?}");
            }
        }
        let described: usize = log.groups()[0].members.iter().map(|member| member.partitions.len()).sum();
        assert_eq!(described, members.iter().map(|(_, owned)| owned.len()).sum::<usize>());
        if !changed {
            return Ok(());
        }
    }
}

#[test]
fn members_come_and_go_and_partitions_stay_together() -> Tested {
    everywhere(|_, log| {
        log.create("left", 7)?;
        log.create("right", 7)?;
        let topics = ["left", "right"];
        let mut members = vec![(member(&log, "a", &topics)?, BTreeSet::new())];
        settle(&log, &mut members)?;
        for client in ["b", "c"] {
            members.push((member(&log, client, &topics)?, BTreeSet::new()));
            settle(&log, &mut members)?;
        }
        while !members.is_empty() {
            let mut numbers = Vec::new();
            for (_, owned) in &members {
                let of = |topic: &str| -> Vec<i32> {
                    owned.iter().filter(|owned| *owned.topic == *topic).map(|owned| owned.partition).collect()
                };
                assert_eq!(of("left"), of("right"));
                assert!(of("left").len() >= 7 / members.len());
                numbers.extend(of("left"));
            }
            numbers.sort_unstable();
            assert_eq!(numbers, (0..7).collect::<Vec<_>>());
            members.remove(0);
            if !members.is_empty() {
                settle(&log, &mut members)?;
            }
        }
        Ok(())
    })
}

#[test]
fn members_may_subscribe_differently() -> Tested {
    everywhere(|_, log| {
        log.create("left", 4)?;
        log.create("right", 4)?;
        let mut members = vec![
            (member(&log, "a", &["left", "right"])?, BTreeSet::new()),
            (member(&log, "b", &["right"])?, BTreeSet::new()),
        ];
        settle(&log, &mut members)?;
        assert_eq!(members.iter().map(|(_, owned)| owned.len()).collect::<Vec<_>>(), [6, 2]);
        Ok(())
    })
}

#[test]
fn a_revoked_partition_waits_for_its_release() -> Tested {
    everywhere(|_, log| {
        log.create("in", 2)?;
        let (stays, moves) = (TopicPartition::new("in", 0), TopicPartition::new("in", 1));
        let mut a = member(&log, "a", &["in"])?;
        a.poll(Duration::ZERO)?;
        let before = a.group_metadata();
        let mut b = member(&log, "b", &["in"])?;
        assert_eq!(b.poll(Duration::ZERO)?.rebalances, []);
        log.append("in", 0, numbered(1))?;
        log.append("in", 1, numbered(1))?;
        let polled = a.poll(Duration::ZERO)?;
        assert_eq!(polled.rebalances, [Rebalance::Revoked(vec![moves.clone()])]);
        assert!(a.group_metadata().generation > before.generation);
        let polled = a.poll(Duration::ZERO)?;
        assert_eq!(polled.batches.len(), 1, "only what stays is fetched");
        assert_eq!(polled.batches[0].partition, stays);
        assert_eq!(b.poll(Duration::ZERO)?.rebalances, []);

        let mut producer = transactional(&log)?;
        producer.begin_transaction()?;
        producer.send_offsets(Consumed { offsets: &[(moves.clone(), at(1))], member: &before })?;
        producer.commit_transaction()?;
        a.commit(&[(moves.clone(), at(1))])?;
        a.release(std::slice::from_ref(&moves))?;
        assert!(matches!(a.commit(&[(moves.clone(), at(1))]), Err(TransportError::Fenced(_))));
        assert_eq!(b.poll(Duration::ZERO)?.rebalances, [Rebalance::Assigned(vec![moves.clone()])]);
        assert_eq!(b.poll(Duration::ZERO)?.batches, [], "it continues where a committed");
        drop(b);
        assert_eq!(a.poll(Duration::ZERO)?.rebalances, [Rebalance::Assigned(vec![moves.clone()])]);
        a.commit(&[(moves.clone(), at(1))])?;
        producer.begin_transaction()?;
        let stale = producer.send_offsets(Consumed { offsets: &[(moves.clone(), at(0))], member: &before });
        assert!(matches!(stale, Err(TransportError::Fenced(_))), "it was another's in between");
        Ok(())
    })
}

#[test]
fn a_zombie_loses_everything_and_joins_anew() -> Tested {
    everywhere(|place, log| {
        log.create("in", 2)?;
        let both = vec![TopicPartition::new("in", 0), TopicPartition::new("in", 1)];
        let mut zombie = member(&log, "a", &["in"])?;
        zombie.poll(Duration::ZERO)?;
        let old = zombie.group_metadata();
        place.advance(9_000);
        let mut other = member(&log, "b", &["in"])?;
        assert_eq!(other.poll(Duration::ZERO)?.rebalances, []);
        let mut producer = transactional(&log)?;
        producer.begin_transaction()?;
        producer.send_offsets(Consumed { offsets: &[(both[0].clone(), at(0))], member: &old })?;
        place.advance(1_000);
        assert_eq!(other.poll(Duration::ZERO)?.rebalances, [Rebalance::Assigned(both.clone())]);
        assert!(matches!(zombie.commit(&[(both[0].clone(), at(1))]), Err(TransportError::Fenced(_))));
        assert!(matches!(producer.commit_transaction(), Err(TransportError::Fenced(_))));
        producer.abort_transaction()?;
        assert_eq!(zombie.poll(Duration::ZERO)?.rebalances, [Rebalance::Lost(both.clone())]);
        assert_ne!(zombie.group_metadata().member, old.member);
        assert_eq!(other.poll(Duration::ZERO)?.rebalances, [Rebalance::Revoked(vec![both[0].clone()])]);
        Ok(())
    })
}

#[test]
fn a_wall_clock_that_is_set_back_prolongs_no_session() -> Tested {
    everywhere(|place, log| {
        log.create("in", 1)?;
        let (mut gone, mut heir) = (member(&log, "gone", &["in"])?, member(&log, "heir", &["in"])?);
        assert!(!gone.poll(Duration::ZERO)?.rebalances.is_empty());
        place.clock.set_back(Duration::from_hours(1));
        heir.poll(Duration::ZERO)?;
        place.advance(10_000);
        let assigned = Rebalance::Assigned(vec![TopicPartition::new("in", 0)]);
        let told: Vec<_> = (0..3).map(|_| heir.poll(Duration::ZERO)).collect::<Result<_, _>>()?;
        assert!(told.iter().any(|polled| polled.rebalances.contains(&assigned)), "{told:?}");
        Ok(())
    })
}

#[test]
fn a_member_that_waits_in_a_poll_is_no_zombie() -> Tested {
    let place = Place { clock: ManualClock::default(), folder: None };
    let log = place.open()?;
    log.create("in", 2)?;
    let mut waiting = member(&log, "a", &["in"])?;
    waiting.poll(Duration::ZERO)?;
    let waiting = thread::spawn(move || waiting.poll(Duration::from_secs(20)));
    while log.groups()[0].members.is_empty() {
        thread::yield_now();
    }
    thread::sleep(Duration::from_millis(50));
    place.advance(60_000);
    let mut other = member(&log, "b", &["in"])?;
    other.poll(Duration::ZERO)?;
    let polled = waiting.join().expect("the poll does not panic")?;
    assert_eq!(polled.rebalances, [Rebalance::Revoked(vec![TopicPartition::new("in", 1)])]);
    Ok(())
}

#[test]
fn the_newest_producer_of_an_id_fences_the_others() -> Tested {
    everywhere(|_, log| {
        log.create("out", 1)?;
        let mut old = transactional(&log)?;
        old.begin_transaction()?;
        old.send(record("out", 0, "old"))?;
        let mut new = transactional(&log)?;
        let fenced = |result: Result<(), TransportError>| matches!(result, Err(TransportError::Fenced(_)));
        assert!(fenced(old.send(record("out", 0, "old"))));
        assert!(fenced(old.commit_transaction().map(drop)));
        assert!(fenced(old.abort_transaction()));
        assert!(fenced(old.begin_transaction()));
        new.begin_transaction()?;
        new.send(record("out", 0, "new"))?;
        new.commit_transaction()?;
        assert_eq!(values(&log, "out")?, ["new"]);
        Ok(())
    })
}

#[test]
fn a_transaction_happens_whole_or_not_at_all() -> Tested {
    everywhere(|place, log| {
        log.create("in", 1)?;
        log.create("out", 2)?;
        let input = TopicPartition::new("in", 0);
        let nobody = GroupMetadata { group: "group".to_owned(), member: String::new(), generation: -1 };
        let mut producer = transactional(&log)?;
        for (value, commits) in [("aborted", false), ("kept", true), ("left open", false)] {
            producer.begin_transaction()?;
            producer.send(record("out", 0, value))?;
            producer.send(record("out", 1, value))?;
            producer.send_offsets(Consumed { offsets: &[(input.clone(), at(7))], member: &nobody })?;
            assert_eq!(log.end_offsets("out")?, if value == "left open" { [1, 1] } else { [0, 0] });
            match value {
                "aborted" => producer.abort_transaction()?,
                "kept" => assert_eq!(producer.commit_transaction()?.len(), 2),
                _ => {}
            }
            let committed = log.group_lag("group").first().and_then(|lag| lag.committed);
            assert_eq!(committed, (commits || value == "left open").then_some(7));
        }
        drop(producer);
        assert_eq!(values(&log, "out")?, ["kept", "kept"]);
        drop(log);
        if place.folder.is_some() {
            let log = place.open()?;
            assert_eq!(values(&log, "out")?, ["kept", "kept"]);
            let mut consumer = member(&log, "a", &["in"])?;
            assert_eq!(consumer.committed(&[input, TopicPartition::new("out", 0)])?, [Some(at(7)), None]);
        }
        Ok(())
    })
}

#[test]
fn calls_in_the_wrong_order_are_refused() -> Tested {
    everywhere(|_, log| {
        log.create("out", 1)?;
        let invalid = |result: Result<(), TransportError>| matches!(result, Err(TransportError::Invalid(_)));
        let mut producer = log.producer(&ProducerConfig { transactional_id: Some("id".to_owned()) })?;
        assert!(invalid(producer.begin_transaction()));
        producer.init_transactions()?;
        assert!(invalid(producer.init_transactions()));
        assert!(invalid(producer.send(record("out", 0, "a"))));
        assert!(invalid(producer.commit_transaction().map(drop)));
        assert!(invalid(producer.abort_transaction()));
        producer.begin_transaction()?;
        assert!(invalid(producer.begin_transaction()));
        let mut plain = log.producer(&ProducerConfig::default())?;
        assert!(invalid(plain.begin_transaction()));
        Ok(())
    })
}

#[test]
fn a_reopened_log_continues() -> Tested {
    let place = Place { clock: ManualClock::default(), folder: Some(tempfile::tempdir()?) };
    if cfg!(not(feature = "rocksdb")) {
        return Ok(());
    }
    for round in 0..3 {
        let log = place.open()?;
        let twice = place.open().expect_err("the folder is in use").to_string();
        assert!(twice.contains("close it, or choose another folder"), "{twice}");
        if round == 0 {
            log.create("in", 2)?;
        }
        let mut consumer = member(&log, "a", &["in"])?;
        assert_eq!(consumer.poll(Duration::ZERO)?.rebalances.len(), 1);
        assert_eq!(log.append("in", 1, numbered(10))?, (round + 1) * 10);
        let polled = consumer.poll(Duration::ZERO)?;
        assert_eq!(polled.batches[0].records.len(), 10, "what was read before is not read again");
        consumer.commit(&[(TopicPartition::new("in", 1), at((round + 1) * 10))])?;
        log.admin()?.delete_records(&TopicPartition::new("in", 1), round * 10)?;
        assert_eq!(
            consumer.watermarks(&TopicPartition::new("in", 1))?,
            Watermarks { low: round * 10, high: (round + 1) * 10 }
        );
        assert_eq!(log.read_all("in")?.len(), 10);
    }
    Ok(())
}

#[cfg(feature = "rocksdb")]
#[test]
fn a_folder_that_cannot_be_used_says_so() -> Tested {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder")?;
    let error = EmbeddedLog::open(&file).expect_err("a file is no folder").to_string();
    assert!(error.contains(&file.display().to_string()) && error.contains("writable"), "{error}");
    Ok(())
}

/// Whether any file of a folder holds these bytes.
#[cfg(feature = "rocksdb")]
fn holds(folder: &std::path::Path, bytes: &[u8]) -> Result<bool, std::io::Error> {
    for entry in std::fs::read_dir(folder)? {
        let file = std::fs::read(entry?.path())?;
        if file.windows(bytes.len()).any(|part| part == bytes) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(feature = "rocksdb")]
#[test]
fn scrubbed_records_are_on_no_disk() -> Tested {
    let folder = tempfile::tempdir()?;
    let log = EmbeddedLog::open(folder.path())?;
    log.create("chat", 2)?;
    log.admin()?.create_topic(&spec("results", CleanupPolicy::CompactDelete, Some(Duration::from_hours(1))))?;
    let texts = ["zebra-crossing", "yellow-submarine", "xylophone-player"];
    log.append("chat", 0, [Entry::new("ann", texts[0], 0)])?;
    // Compaction is not worth it: one new record among many.
    log.append("results", 0, (0..200).map(|number| Entry::new(format!("key-{number}"), "other", 0)))?;
    log.append("results", 0, [Entry::new("ann", texts[1], 0)])?;
    log.append("chat", 1, [Entry::new("bob", texts[2], 0)])?;
    log.maintain()?;
    log.append("results", 0, [Entry::tombstone("ann", 0)])?;
    log.admin()?.delete_records(&TopicPartition::new("chat", 0), 1)?;
    log.maintain()?;
    for text in texts {
        assert!(holds(folder.path(), text.as_bytes())?, "{text} is in a file");
    }
    log.scrub()?;
    let left = texts.map(|text| holds(folder.path(), text.as_bytes()).expect("files are read"));
    assert_eq!(left, [false, false, true], "{texts:?}");
    assert_eq!((log.read_all("chat")?.len(), log.read_all("results")?.len()), (1, 201));
    drop(log);
    assert_eq!(values(&EmbeddedLog::open(folder.path())?, "chat")?, [texts[2]]);
    Ok(())
}

#[cfg(feature = "rocksdb")]
#[test]
fn an_empty_log_takes_little_of_the_disk() -> Tested {
    use std::os::unix::fs::MetadataExt as _;

    let folder = tempfile::tempdir()?;
    let log = EmbeddedLog::open(folder.path())?;
    log.create("chat", 2)?;
    log.append("chat", 0, [Entry::new("ann", "hi", 0)])?;
    let files = std::fs::read_dir(folder.path())?.map(|file| Ok(file?.metadata()?.blocks() * 512));
    let taken = files.sum::<Result<u64, std::io::Error>>()?;
    assert!(taken < 4 << 20, "{taken} bytes");
    Ok(())
}

#[cfg(feature = "rocksdb")]
#[test]
fn a_damaged_log_says_so_and_can_be_locked_for_its_deletion() -> Tested {
    let folder = tempfile::tempdir()?;
    let log = EmbeddedLog::open(folder.path())?;
    assert!(matches!(EmbeddedLog::lock(folder.path()), Err(TransportError::Invalid(_))), "it is in use");
    drop(log);
    std::fs::write(folder.path().join("CURRENT"), "MANIFEST-nonsense\n")?;
    let error = EmbeddedLog::open(folder.path()).expect_err("it is damaged").to_string();
    assert!(error.contains("damaged") && !error.contains("disk not full"), "{error}");
    let lock = EmbeddedLog::lock(folder.path())?;
    let error = EmbeddedLog::open(folder.path()).expect_err("it is locked").to_string();
    assert!(error.contains("another instance uses the log"), "{error}");
    drop(lock);
    assert!(EmbeddedLog::lock(folder.path().join("none")).is_err());
    Ok(())
}

#[cfg(feature = "rocksdb")]
#[test]
fn a_killed_process_loses_nothing_that_it_committed() -> Tested {
    use std::{
        io::{BufRead, BufReader},
        process::{Command, Stdio},
    };
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--ignored", "--exact", "commits_until_killed"])
        .env("TIDEMILL_TEST_FOLDER", folder.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let mut committed = lines.filter_map(|line| line.strip_prefix("committed ")?.parse::<i64>().ok());
    committed.find(|number| *number >= 500);
    child.kill()?;
    child.wait()?;
    let last = committed.last().unwrap_or(500);
    let log = EmbeddedLog::open(folder.path())?;
    let [left, right] = log.end_offsets("out")?[..] else {
        return Err("two partitions".into());
    };
    assert_eq!(left, right);
    assert!(left == last || left == last + 1, "{left} records, {last} known to be committed");
    assert_eq!(log.group_lag("group")[0].committed, Some(left));
    assert_eq!(log.read_all("out")?.len() as i64, left * 2);
    Ok(())
}

#[cfg(feature = "rocksdb")]
#[test]
#[ignore = "the process of the test above"]
fn commits_until_killed() -> Tested {
    use std::io::Write;
    let Some(folder) = std::env::var_os("TIDEMILL_TEST_FOLDER") else {
        return Ok(());
    };
    let log = EmbeddedLog::open(folder)?;
    log.create("in", 1)?;
    log.create("out", 2)?;
    let nobody = GroupMetadata { group: "group".to_owned(), member: String::new(), generation: -1 };
    let mut producer = transactional(&log)?;
    for number in 1.. {
        producer.begin_transaction()?;
        producer.send(record("out", 0, "left"))?;
        producer.send(record("out", 1, "right"))?;
        producer.send_offsets(Consumed { offsets: &[(TopicPartition::new("in", 0), at(number))], member: &nobody })?;
        producer.commit_transaction()?;
        writeln!(std::io::stdout(), "committed {number}")?;
    }
    Ok(())
}

#[test]
fn compaction_keeps_the_last_record_of_each_key() -> Tested {
    everywhere(|place, log| {
        log.admin()?.create_topic(&spec("table", CleanupPolicy::Compact, None))?;
        let keyless = Entry { value: Some("a".into()), ..Entry::default() };
        assert!(matches!(log.append("table", 0, [keyless]), Err(TransportError::Invalid(_))));
        let mut expected = BTreeMap::new();
        for round in 0..5 {
            for number in 0..2_000 {
                let key = format!("key-{}", (number * 7 + round) % 500);
                let offset = log.end_offsets("table")?[0];
                if number % 10 == 0 {
                    log.append("table", 0, [Entry::tombstone(key.clone(), 0)])?;
                } else {
                    log.append("table", 0, [Entry::new(key.clone(), format!("value-{offset}"), 0)])?;
                }
                expected.insert(key, offset);
            }
            log.maintain()?;
            let read = log.read_all("table")?;
            let offsets: BTreeSet<_> = read.iter().map(|(_, record)| record.offset).collect();
            assert_eq!(offsets, expected.values().copied().collect());
            assert!(read.is_sorted_by_key(|(_, record)| record.offset));
            assert!(
                read.iter().all(|(_, record)| {
                    record.value.as_ref().is_none_or(|v| *v == format!("value-{}", record.offset))
                })
            );
        }
        place.advance(DAY_MS + 1);
        let rewritten = (0..1_000).map(|number| Entry::new(format!("key-{}", number % 500), "new", 0));
        log.append("table", 0, rewritten.chain([Entry::tombstone("key-0", 0)]))?;
        log.maintain()?;
        assert_eq!(log.read_all("table")?.len(), 500);
        let mut reader = log.reader()?;
        reader.assign(&[(TopicPartition::new("table", 0), 0)])?;
        let read = reader.read(Duration::ZERO, 10_000)?;
        assert_eq!(read[0].records.len(), 500);
        assert_eq!(read[0].records[499].offset + 1, log.end_offsets("table")?[0]);
        assert!(reader.read(Duration::ZERO, 1)?.is_empty());
        place.advance(DAY_MS + 1);
        log.append("table", 0, (0..2_000).map(|number| Entry::new(format!("key-{}", 1 + number % 9), "last", 0)))?;
        log.maintain()?;
        assert_eq!(log.read_all("table")?.len(), 499, "the tombstone went, and what it deleted");
        Ok(())
    })
}

#[test]
fn compaction_leaves_records_that_are_younger_than_its_lag() -> Tested {
    everywhere(|place, log| {
        let hour = Duration::from_hours(1);
        let versions = spec("versions", CleanupPolicy::CompactAfter(hour), None);
        log.admin()?.create_topic(&versions)?;
        let append = |value: &str| log.append("versions", 0, [Entry::new("key", value.to_owned(), 0)]);
        append("first")?;
        place.advance(1_800_000);
        append("second")?;
        append("third")?;
        log.maintain()?;
        assert_eq!(values(&log, "versions")?, ["first", "second", "third"]);
        place.advance(1_800_001);
        log.scrub()?;
        assert_eq!(values(&log, "versions")?, ["second", "third"], "only the first is an hour old");
        place.advance(1_800_001);
        log.scrub()?;
        assert_eq!(values(&log, "versions")?, ["third"]);
        assert_eq!(log.admin()?.describe_topic("versions")?, Some(versions.clone()));
        if place.folder.is_some() {
            drop(log);
            assert_eq!(place.open()?.admin()?.describe_topic("versions")?, Some(versions));
        }
        Ok(())
    })
}

#[test]
fn retention_counts_from_the_append() -> Tested {
    everywhere(|place, log| {
        log.admin()?.create_topic(&spec("in", CleanupPolicy::Delete, Some(Duration::from_secs(10))))?;
        let mut consumer = member(&log, "a", &["in"])?;
        consumer.poll(Duration::ZERO)?;
        log.append("in", 0, numbered(3_000).map(|entry| Entry { timestamp: 0, ..entry }))?;
        place.advance(6_000);
        consumer.poll(Duration::ZERO)?;
        log.append("in", 0, numbered(10))?;
        log.maintain()?;
        assert_eq!(log.read_all("in")?.len(), 3_010, "old event times are no reason to drop");
        place.advance(6_000);
        log.maintain()?;
        let partition = TopicPartition::new("in", 0);
        assert_eq!(consumer.watermarks(&partition)?, Watermarks { low: 3_000, high: 3_010 });
        let mut reader = log.reader()?;
        reader.assign(&[(partition, 5)])?;
        let gone = reader.read(Duration::ZERO, 10);
        assert!(matches!(gone, Err(TransportError::OffsetOutOfRange { offset: 5, low: 3_000, high: 3_010, .. })));
        let polled = consumer.poll(Duration::ZERO)?;
        assert_eq!(polled.batches[0].records[0].offset, 3_000);
        assert_eq!(log.records_skipped(), 2_900);
        place.advance(60_000);
        log.maintain()?;
        assert_eq!(consumer.watermarks(&TopicPartition::new("in", 0))?, Watermarks { low: 3_010, high: 3_010 });
        assert_eq!(log.append("in", 0, numbered(1))?, 3_011);
        Ok(())
    })
}

#[test]
fn another_retention_takes_effect_on_what_is_there_and_stays_after_a_restart() -> Tested {
    everywhere(|place, log| {
        let mut admin = log.admin()?;
        let hour = Some(Duration::from_secs(3_600));
        admin.create_topic(&spec("in", CleanupPolicy::Delete, None))?;
        log.append("in", 0, numbered(10))?;
        let mut consumer = member(&log, "a", &["in"])?;
        consumer.poll(Duration::ZERO)?;
        assert_eq!(polled_values(&consumer.poll(Duration::ZERO)?).len(), 10);
        for _ in 0..10 {
            // Who does not poll is taken for dead.
            place.advance(6_000);
            consumer.poll(Duration::ZERO)?;
        }
        log.append("in", 0, numbered(5))?;
        admin.alter_retention("in", Some(Duration::from_secs(30)))?;
        log.maintain()?;
        assert_eq!(log.read_all("in")?.len(), 5, "what is older goes");
        assert_eq!(polled_values(&consumer.poll(Duration::ZERO)?).len(), 5, "whoever reads goes on");
        admin.alter_retention("in", hour)?;
        place.advance(60_000);
        log.maintain()?;
        assert_eq!(log.read_all("in")?.len(), 5, "what is younger stays");
        assert_eq!(admin.describe_topic("in")?, Some(spec("in", CleanupPolicy::Delete, hour)));
        assert!(matches!(admin.alter_retention("out", hour), Err(TransportError::UnknownTopic(_))));
        if place.folder.is_some() {
            drop((consumer, admin, log));
            let log = place.open()?;
            assert_eq!(log.admin()?.describe_topic("in")?, Some(spec("in", CleanupPolicy::Delete, hour)));
            assert_eq!(log.read_all("in")?.len(), 5);
        }
        Ok(())
    })
}

#[test]
fn pause_resume_and_seek_move_the_fetch() -> Tested {
    everywhere(|_, log| {
        log.create("in", 1)?;
        log.append("in", 0, numbered(3))?;
        let partition = TopicPartition::new("in", 0);
        let paused = std::slice::from_ref(&partition);
        let mut consumer = member(&log, "a", &["in"])?;
        assert!(matches!(consumer.pause(paused), Err(TransportError::Invalid(_))));
        consumer.poll(Duration::ZERO)?;
        consumer.pause(paused)?;
        assert!(consumer.poll(Duration::ZERO)?.batches.is_empty());
        assert!(!consumer.is_caught_up(&partition));
        consumer.resume(paused)?;
        assert_eq!(polled_values(&consumer.poll(Duration::ZERO)?), ["value-0", "value-1", "value-2"]);
        assert!(consumer.is_caught_up(&partition));
        consumer.seek(&partition, 1)?;
        assert_eq!(polled_values(&consumer.poll(Duration::ZERO)?), ["value-1", "value-2"]);
        assert!(matches!(consumer.seek(&partition, 4), Err(TransportError::OffsetOutOfRange { .. })));
        log.admin()?.delete_records(&partition, 2)?;
        consumer.seek(&partition, 0)?;
        assert_eq!(polled_values(&consumer.poll(Duration::ZERO)?), ["value-2"]);
        Ok(())
    })
}

#[test]
fn a_waiting_poll_wakes_up_when_records_arrive() -> Tested {
    everywhere(|_, log| {
        log.create("in", 1)?;
        let mut consumer = member(&log, "a", &["in"])?;
        consumer.poll(Duration::ZERO)?;
        let started = Instant::now();
        let waiting = thread::spawn(move || consumer.poll(Duration::from_secs(30)));
        thread::sleep(Duration::from_millis(30));
        log.append("in", 0, numbered(1))?;
        let polled = waiting.join().expect("the poll does not panic")?;
        assert_eq!(polled_values(&polled), ["value-0"]);
        assert!(started.elapsed() < Duration::from_secs(10));
        Ok(())
    })
}

#[test]
fn the_log_is_safe_to_use_from_many_threads() -> Tested {
    everywhere(|_, log| {
        log.create("in", 4)?;
        log.create("out", 4)?;
        let writers: Vec<_> = (0..2)
            .map(|writer: i32| {
                let log = log.clone();
                thread::spawn(move || -> Result<(), TransportError> {
                    let mut producer = log.producer(&ProducerConfig::default())?;
                    for number in 0..10_000 {
                        producer.send(record("in", (number + writer) % 4, &format!("{writer}-{number}")))?;
                    }
                    producer.flush().map(drop)
                })
            })
            .collect();
        let copiers: Vec<_> = (0..3)
            .map(|copier| {
                let log = log.clone();
                thread::spawn(move || copy(&log, copier))
            })
            .collect();
        for thread in writers.into_iter().chain(copiers) {
            thread.join().expect("no thread panics")?;
        }
        let (mut sent, mut copied) = (values(&log, "in")?, values(&log, "out")?);
        sent.sort_unstable();
        copied.sort_unstable();
        assert!(sent == copied, "{} records were sent, {} copied", sent.len(), copied.len());
        Ok(())
    })
}

/// Copies exactly once until all 20 000 records are committed.
fn copy(log: &EmbeddedLog, copier: i32) -> Result<(), TransportError> {
    let mut consumer = member(log, &format!("copier-{copier}"), &["in"])?;
    let mut producer = log.producer(&ProducerConfig { transactional_id: Some(format!("copier-{copier}")) })?;
    producer.init_transactions()?;
    loop {
        let polled = consumer.poll(Duration::from_millis(5))?;
        for rebalance in polled.rebalances {
            match rebalance {
                Rebalance::Revoked(partitions) => consumer.release(&partitions)?,
                Rebalance::Assigned(_) => {}
                Rebalance::Lost(_) => unreachable!("nobody's session ends"),
            }
        }
        producer.begin_transaction()?;
        for batch in &polled.batches {
            for record in &batch.records {
                producer.send(ProducerRecord {
                    topic: "out".into(),
                    partition: batch.partition.partition,
                    timestamp: record.timestamp,
                    key: record.key.clone(),
                    value: record.value.clone(),
                    headers: Headers::new(),
                })?;
            }
            let next = batch.records.last().map_or(0, |record| record.offset + 1);
            producer.send_offsets(Consumed {
                offsets: &[(batch.partition.clone(), at(next))],
                member: &consumer.group_metadata(),
            })?;
        }
        producer.commit_transaction()?;
        if log.group_lag("group").iter().filter_map(|lag| lag.committed).sum::<i64>() == 20_000 {
            return Ok(());
        }
    }
}
