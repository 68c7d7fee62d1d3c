//! Transactions that are neither committed nor aborted.

use std::time::Duration;

use tidemill_broker::Broker;

use super::site;
use crate::{Tested, site::text, wait_for};

/// A restore must not take a log for shorter than it is because a transaction, committed perhaps, is not over yet.
#[test]
fn what_is_undecided_counts_for_the_end_and_is_read_once_it_is_decided() -> Tested {
    let Some(broker) = Broker::shared() else { return Ok(()) };
    let site = site(broker, "undecided")?;
    site.create("out", 1)?;
    site.send("out", 0, &["first"])?;
    let out = site.partition("out", 0);
    let mut producer = site.transactional("id")?;
    let mut reader = site.transport.reader()?;
    reader.assign(&[(out.clone(), 0)])?;
    let mut read = Vec::new();
    for (value, commits) in [("committed", true), ("aborted", false), ("last", true)] {
        let before = reader.end(&out)?;
        producer.begin_transaction()?;
        producer.send(site.record("out", 0, value))?;
        wait_for("it is in the log", || Ok((reader.end(&out)? == before + 1).then_some(())))?;
        assert_eq!(reader.watermarks(&out)?.high, before, "a committed read does not see it");
        if commits {
            producer.commit_transaction()?;
        } else {
            producer.abort_transaction()?;
        }
        wait_for("it is over", || {
            let batches = reader.read(Duration::from_millis(10), 100)?;
            read.extend(batches.iter().flat_map(|batch| batch.records.iter().map(text)));
            Ok((reader.position(&out)? > before + 1).then_some(()))
        })?;
    }
    assert_eq!(read, ["first", "committed", "last"]);
    Ok(())
}
