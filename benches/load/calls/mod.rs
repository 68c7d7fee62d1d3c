//! Loads whose windows go to a model: the stand-in for model providers, in a thread of this program.
//!
//! - `burst`: the windows of many streams close in the same moment.
//! - `outage`: the model is away for two minutes.
//! - `noisy`: one tenant has many streams, and the others must not feel it.

mod burst;
mod connectors;
mod noisy;
mod options;
mod outage;
mod results;
mod site;
mod table;

use anyhow::Result;

use options::{Options, Part};

/// Runs the loads that the command line names.
pub(crate) async fn run(args: impl Iterator<Item = String>) -> Result<()> {
    let options = Options::read(args);
    if options.runs(Part::Burst) {
        burst::run(&options).await?;
    }
    if options.runs(Part::Outage) {
        outage::run(&options).await?;
    }
    if options.runs(Part::Noisy) {
        noisy::run(&options).await?;
    }
    Ok(())
}

/// A small burst: every window has one result, and models answer most of them.
pub(crate) async fn small() -> Result<()> {
    burst::small().await
}
