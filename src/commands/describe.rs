//! Prints plans.

use std::io::Write as _;

use anyhow::{Result, bail};
use tidemill::{
    Plan,
    server::{App, Settings},
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
    for app in apps {
        let plan = Plan::new(app.id(), &app.topology(settings)?).resolve(|_| Some(settings.partitions))?;
        write!(std::io::stdout().lock(), "{}", plan.describe())?;
    }
    Ok(())
}
