//! What both engines read.

use std::env;

use tidemill::transport::CleanupPolicy;

use crate::{
    BenchResult,
    input::{Frames, chats, frames},
    site::Site,
};

pub(crate) struct Input {
    pub(crate) topic: &'static str,
    pub(crate) records: u64,
}

/// So many chats, and a tenth as many pose frames.
fn records() -> BenchResult<usize> {
    Ok(env::var("RECORDS").map_or(Ok(2_000_000), |records| records.parse())?)
}

/// Loads what a workload reads, the first time that one asks.
pub(crate) fn input(site: &Site, workload: &str) -> BenchResult<Input> {
    let is_pose = workload.starts_with("pose");
    let topic = if is_pose { "pose" } else { "chat" };
    let records = if is_pose { records()? / 10 } else { records()? };
    if site.has(topic)? {
        return Ok(Input { topic, records: records as u64 });
    }
    site.create(topic, CleanupPolicy::Delete)?;
    if is_pose {
        site.load(topic, frames(Frames { records, per_second: 5 }))?;
    } else {
        site.load(topic, chats(records))?;
    }
    Ok(Input { topic, records: records as u64 })
}
