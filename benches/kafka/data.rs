//! What both engines read.

use std::env;

use tidemill::transport::{CleanupPolicy, embedded::Entry};

use crate::{
    BenchResult,
    input::{Frames, chats, frames, segments},
    site::{PARTITIONS, Site},
};

pub(crate) struct Input {
    pub(crate) topic: &'static str,
    /// Of all that the workload reads.
    pub(crate) records: u64,
}

/// The other topic of a join.
pub(crate) const SEGMENTS: &str = "transcript";

/// So many chats, and a tenth as many pose frames or segments of a transcript.
fn records() -> BenchResult<usize> {
    Ok(env::var("RECORDS").map_or(Ok(2_000_000), |records| records.parse())?)
}

/// Loads what a workload reads, the first time that one asks.
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
    if workload != "join" {
        return Ok(Input { topic: "chat", records: many as u64 });
    }
    load(SEGMENTS, &mut segments(few))?;
    Ok(Input { topic: "chat", records: (many + few) as u64 })
}
