//! Readers outside any group.

use std::time::Duration;

use tidemill::transport::{Headers, ProducerRecord, TransportError};

use crate::{
    Site, Tested,
    site::{read_until, text},
    wait_for,
};

pub(crate) fn records_come_back_with_all_they_carried(site: &Site) -> Tested {
    site.create("in", 2)?;
    let mut headers = Headers::new();
    headers.push("trace", "abc");
    headers.push("trace", "def");
    let sent = [
        ProducerRecord { headers, ..site.record("in", 1, "a") },
        ProducerRecord { key: None, timestamp: 1_700_000_000_123, ..site.record("in", 1, "b") },
        ProducerRecord { value: None, ..site.record("in", 1, "c") },
        ProducerRecord { value: Some("".into()), ..site.record("in", 1, "d") },
    ];
    let mut producer = site.producer()?;
    for record in &sent {
        producer.send(record.clone())?;
    }
    producer.flush()?;
    let read = site.read_all("in")?;
    assert_eq!(read.len(), sent.len());
    for (sent, (partition, read)) in sent.iter().zip(&read) {
        assert_eq!((*partition, read.timestamp), (sent.partition, sent.timestamp));
        assert_eq!((&read.key, &read.value, &read.headers), (&sent.key, &sent.value, &sent.headers));
    }
    Ok(())
}

pub(crate) fn a_read_starts_where_it_is_told_and_takes_no_more_than_asked(site: &Site) -> Tested {
    site.create("in", 2)?;
    let values: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    site.send("in", 0, &values.iter().map(String::as_str).collect::<Vec<_>>())?;
    site.send("in", 1, &["other"])?;
    let partition = site.partition("in", 0);
    let mut reader = site.transport.reader()?;
    reader.assign(&[(partition.clone(), 20)])?;
    assert_eq!(reader.position(&partition)?, 20);
    let mut next = 20;
    wait_for("the end is reached", || {
        let batches = reader.read(Duration::from_millis(50), 7)?;
        assert!(batches.iter().map(|batch| batch.records.len()).sum::<usize>() <= 7);
        for record in batches.iter().flat_map(|batch| &batch.records) {
            assert_eq!((record.offset, text(record)), (next, next.to_string()));
            next += 1;
        }
        assert_eq!(reader.position(&partition)?, next);
        Ok((next == 50).then_some(()))
    })?;
    // A new assignment replaces the old one, and may go back.
    reader.assign(&[(partition.clone(), 45), (site.partition("in", 1), 0)])?;
    let ends = [(partition, 50), (site.partition("in", 1), 1)];
    let mut read: Vec<_> = read_until(reader.as_mut(), &ends)?.iter().map(|(_, record)| text(record)).collect();
    read.sort_unstable();
    assert_eq!(read, ["45", "46", "47", "48", "49", "other"]);
    Ok(())
}

pub(crate) fn a_position_passes_what_is_no_record(site: &Site) -> Tested {
    site.create("out", 1)?;
    let partition = site.partition("out", 0);
    let mut producer = site.transactional("id")?;
    let mut reader = site.transport.reader()?;
    reader.assign(&[(partition.clone(), 0)])?;
    for (value, commits) in [("aborted", false), ("kept", true), ("aborted again", false)] {
        producer.begin_transaction()?;
        producer.send(site.record("out", 0, value))?;
        if commits {
            producer.commit_transaction()?;
        } else {
            producer.abort_transaction()?;
        }
    }
    let mut read = Vec::new();
    wait_for("the position is at the end", || {
        let end = site.transport.reader()?.watermarks(&partition)?.high;
        read.extend(read_until(reader.as_mut(), &[(partition.clone(), end)])?);
        Ok((!read.is_empty() && reader.position(&partition)? == end).then_some(()))
    })?;
    assert_eq!(read.iter().map(|(_, record)| text(record)).collect::<Vec<_>>(), ["kept"]);
    Ok(())
}

pub(crate) fn a_position_that_does_not_exist_is_an_error(site: &Site) -> Tested {
    site.create("in", 1)?;
    site.send("in", 0, &["a", "b", "c", "d"])?;
    let partition = site.partition("in", 0);
    site.transport.admin()?.delete_records(&partition, 2)?;
    for missing in [1, 5] {
        let mut reader = site.transport.reader()?;
        reader.assign(&[(partition.clone(), missing)])?;
        let failed = wait_for("the reader tells", || match reader.read(Duration::from_millis(50), 10) {
            Ok(batches) if batches.is_empty() => Ok(None),
            Ok(batches) => Err(format!("{batches:?} at offset {missing}").into()),
            Err(failed) => Ok(Some(failed)),
        })?;
        match failed {
            TransportError::OffsetOutOfRange { partition: at, offset, low, high } => {
                assert_eq!((at, offset, low, high), (partition.clone(), missing, 2, 4));
            }
            other => return Err(other.into()),
        }
        // It can go on elsewhere.
        reader.assign(&[(partition.clone(), 2)])?;
        let read = read_until(reader.as_mut(), &[(partition.clone(), 4)])?;
        assert_eq!(read.iter().map(|(_, record)| text(record)).collect::<Vec<_>>(), ["c", "d"]);
    }
    Ok(())
}
