//! Prints plans.

use std::io::Write as _;

use anyhow::{Result, bail};
use tidemill::Plan;
use tidemill_apps::{
    apps::{APPLICATIONS, Format},
    server::{Log, Settings},
};

use crate::cli::DescribeOptions;

/// Prints an application's plan, or all.
pub(crate) fn describe(settings: &Settings, options: &DescribeOptions) -> Result<()> {
    let mut apps = APPLICATIONS.to_vec();
    if let Some(name) = &options.application {
        apps.retain(|app| app.id == name);
        if apps.is_empty() {
            let ids: Vec<_> = APPLICATIONS.iter().map(|app| app.id).collect();
            bail!("there is no application '{name}': {} are", ids.join(" and "));
        }
    }
    // Topics on Kafka may have been made by somebody else, with other partitions.
    let log = settings.kafka.as_ref().map(|_| Log::open(settings)).transpose()?;
    for app in apps {
        let known = |topic: &str| log.as_ref().and_then(|log| log.partitions(topic).ok());
        let partitions = |topic: &str| known(topic).or(Some(settings.partitions));
        // A plan is the same in every format, and needs no registry to be printed.
        let plan = Plan::new(app.id, &(app.topology)(&settings.windows(app), &Format::Json)?).resolve(partitions)?;
        write!(std::io::stdout().lock(), "{}", plan.describe())?;
    }
    Ok(())
}
