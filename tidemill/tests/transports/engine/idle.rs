//! What time alone closes below a repartition, while a task above that rested has a record and is stalled.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tidemill::{
    Clock as _, EmitStrategy, Streams, StreamsBuilder, StreamsConfig, SystemClock, TimeWindows,
    state::{Codec as _, Coded},
    transport::{TopicPartition, TransportError, Watermarks},
};

use super::instance;
use crate::{Site, Tested, wait_for};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Longer than notes of idle time are told.
const REST: Duration = Duration::from_secs(4);

/// The texts of each window that was closed.
fn closed(site: &Site) -> Tested<Vec<Vec<String>>> {
    let read = site.read_all("out")?.into_iter().map(|(_, record)| {
        let mut texts: Vec<String> = <Vec<String> as Coded>::Codec::default().decode_opt(record.value)?;
        texts.sort();
        Ok(texts)
    });
    read.collect()
}

/// Sends a record in a transaction, so that its partition ends with what is no record.
fn send(site: &Site, partition: i32, text: &str, timestamp: i64) -> Tested {
    let mut producer = site.transactional(&format!("sender-{partition}"))?;
    for commits in [true, false] {
        wait_for("the transaction ends as planned", || {
            producer.begin_transaction()?;
            let mut record = site.record("in", partition, if commits { text } else { "aborted" });
            record.timestamp = timestamp;
            producer.send(record)?;
            match if commits { producer.commit_transaction().map(drop) } else { producer.abort_transaction() } {
                Err(TransportError::Abort(_)) => producer.abort_transaction().map(|()| None),
                ended => ended.map(Some),
            }
            .map_err(Into::into)
        })?;
    }
    Ok(())
}

pub(crate) fn a_writer_that_rested_and_is_stalled_makes_no_record_late(site: &Site) -> Tested {
    site.create("in", 2)?;
    site.create("out", 1)?;
    let (entered, released) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let builder = StreamsBuilder::new();
    let stream = {
        let (entered, released) = (entered.clone(), released.clone());
        builder.stream::<String, String>(site.named("in").as_str()).map_values(move |text| {
            if text == "stalled" {
                entered.store(true, Ordering::SeqCst);
                while !released.load(Ordering::SeqCst) {
                    thread::sleep(MS(5));
                }
            }
            text
        })
    };
    let windows = TimeWindows::of_size_with_no_grace(MS(200));
    let emit = EmitStrategy::on_window_close().idle_after(MS(200));
    let grouped = stream.select_key(|_, _| "all".to_owned()).repartition("again").group_by_key();
    let lists = grouped.windowed_by(windows).emit(emit).collect("lists");
    lists.to(site.named("out").as_str());
    let config = StreamsConfig { num_stream_threads: 2, ..instance::config(site, "a") };
    let streams = Streams::start_with_clock(&builder.build()?, config, site.transport.clone(), Arc::new(SystemClock))?;
    instance::until_they_run(&[&streams], &[4])?;
    let closed_are = |expected: &[&[&str]]| {
        wait_for(&format!("{expected:?} are closed"), || Ok((closed(site)? == expected).then_some(())))
    };
    let begin_ms = (SystemClock.now_ms() - 3_600_000) / 1_000 * 1_000;

    send(site, 0, "a", begin_ms)?;
    closed_are(&[&["a"]])?;
    // So far apart that no wait of the test makes one late.
    send(site, 1, "b", begin_ms + 100_000)?;
    closed_are(&[&["a"], &["b"]])?;
    thread::sleep(REST);

    // The other rests: the log tells that it has nothing to do.
    let again = format!("{}-again-repartition", site.named("app"));
    let mut reader = site.transport.reader()?;
    let mut goes_on = 0;
    for partition in 0..2 {
        // Notes are in both, records in one.
        let place = TopicPartition::new(again.as_str(), partition);
        let Watermarks { low, high } = reader.watermarks(&place)?;
        reader.assign(&[(place.clone(), low)])?;
        wait_for("the topic is read", || {
            for batch in reader.read(MS(10), 100)? {
                if batch.records.iter().any(|record| record.value.is_some()) {
                    goes_on = partition;
                }
            }
            Ok((reader.position(&place)? >= high).then_some(()))
        })?;
    }
    let stalls = 1 - goes_on;
    send(site, goes_on, "c", begin_ms + 200_000)?;
    closed_are(&[&["a"], &["b"], &["c"]])?;
    thread::sleep(REST);

    send(site, stalls, "stalled", begin_ms + 300_000)?;
    wait_for("it is stalled", || Ok(entered.load(Ordering::SeqCst).then_some(())))?;
    send(site, goes_on, "d", begin_ms + 300_010)?;
    thread::sleep(MS(2_000));
    assert_eq!(closed(site)?.len(), 3, "more may come");
    released.store(true, Ordering::SeqCst);
    closed_are(&[&["a"], &["b"], &["c"], &["d", "stalled"]])?;
    Ok(streams.close()?)
}
