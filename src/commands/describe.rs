//! Prints plans.

use std::io::Write as _;

use anyhow::Result;
use tidemill::Plan;
use tidemill_apps::{
    apps::{APPLICATIONS, Format},
    server::{Log, Settings},
};

use crate::{cli::DescribeOptions, usage::usage};

/// Prints the plan of one application or of all.
pub(crate) fn describe(settings: &Settings, options: &DescribeOptions) -> Result<()> {
    let mut apps = APPLICATIONS.to_vec();
    if let Some(name) = &options.application {
        apps.retain(|app| app.id == name);
        if apps.is_empty() {
            let ids: Vec<_> = APPLICATIONS.iter().map(|app| app.id).collect();
            let ids = ids.join(" and ");
            return Err(usage(format!("there is no application '{name}'; the applications are {ids}")));
        }
    }
    // Topics may already exist on Kafka, with another number of partitions.
    let log = settings.kafka.as_ref().map(|_| Log::open(settings)).transpose()?;
    for app in apps {
        let known = |topic: &str| log.as_ref().and_then(|log| log.partitions(topic).ok());
        let partitions = |topic: &str| known(topic).or(Some(settings.partitions));
        // The plan is the same in every format, so no registry is needed.
        let plan = Plan::new(app.id, &(app.topology)(&settings.windows(app), &Format::Json)?).resolve(partitions)?;
        write!(std::io::stdout().lock(), "{}", plan.describe())?;
    }
    Ok(())
}
