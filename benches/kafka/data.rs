//! The input of both engines.

use std::env;

use tidemill::transport::{CleanupPolicy, embedded::Entry};

use crate::{
    BenchResult,
    input::{Frames, chats, frames, segments},
    site::{PARTITIONS, Site},
};

pub(crate) struct Input {
    pub(crate) topic: &'static str,
    /// The number of records in all input topics of the workload.
    pub(crate) records: u64,
}

/// The second input topic of a join.
pub(crate) const SEGMENTS: &str = "transcript";

/// The number of chats. Pose frames and transcript segments are a tenth of it.
fn records() -> BenchResult<usize> {
    Ok(env::var("RECORDS").map_or(Ok(2_000_000), |records| records.parse())?)
}

/// Loads the input topics of a workload, if they do not exist yet.
pub(crate) fn input(site: &Site, workload: &str) -> BenchResult<Input> {
    let (many, few) = (records()?, records()? / 10);
    let load = |topic: &'static str, entries: &mut dyn Iterator<Item = Entry>| -> BenchResult {
        if !site.has(topic)? {
            site.create(topic, PARTITIONS, CleanupPolicy::Delete)?;
            site.load(topic, entries)?;
        }
        Ok(())
    };
    if workload.starts_with("pose") {
        load("pose", &mut frames(Frames { records: few, per_second: 5 }))?;
        return Ok(Input { topic: "pose", records: few as u64 });
    }
    load("chat", &mut chats(many))?;
    if !["join", "table-join", "foreign-key", "global-join", "as-of-join", "cogroup"].contains(&workload) {
        return Ok(Input { topic: "chat", records: many as u64 });
    }
    load(SEGMENTS, &mut segments(few))?;
    // A global table's records are not those of a task.
    let records = if workload == "global-join" { many } else { many + few };
    Ok(Input { topic: "chat", records: records as u64 })
}
