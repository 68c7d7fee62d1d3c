//! Prints plans.

use std::io::Write as _;

use anyhow::{Result, bail};
use tidemill::{
    Plan,
    apps::Format,
    server::{App, Log, Settings},
};

use crate::cli::DescribeOptions;

/// Prints an application's plan, or all.
pub(crate) fn describe(settings: &Settings, options: &DescribeOptions) -> Result<()> {
    let mut apps = vec![App::Live, App::Coach];
    if let Some(name) = &options.application {
        apps.retain(|app| app.id() == name);
        if apps.is_empty() {
            bail!("there is no application '{name}': live-insight and form-coach are");
        }
    }
    // Topics on Kafka may have been made by somebody else, with other partitions.
    let log = settings.kafka.as_ref().map(|_| Log::open(settings)).transpose()?;
    for app in apps {
        let known = |topic: &str| log.as_ref().and_then(|log| log.partitions(topic).ok());
        let partitions = |topic: &str| known(topic).or(Some(settings.partitions));
        // A plan is the same in every format, and needs no registry to be printed.
        let plan = Plan::new(app.id(), &app.topology(settings, &Format::Json)?).resolve(partitions)?;
        write!(std::io::stdout().lock(), "{}", plan.describe())?;
    }
    Ok(())
}
