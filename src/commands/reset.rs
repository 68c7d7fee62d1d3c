//! Deletes what the applications remember.

use anyhow::{Context as _, Result, bail};
use tidemill::{server::Settings, transport::embedded::EmbeddedLog};

use super::folder::discard;
use crate::cli::ResetOptions;

/// Deletes log and state, if nobody uses them.
pub(crate) fn reset(settings: &Settings, options: &ResetOptions) -> Result<()> {
    let Some(folder) = &settings.data_dir else {
        bail!("there is nothing to delete: name the folder with --data-dir");
    };
    if !options.yes {
        bail!("this deletes log, state and results in {}: say --yes if you mean it", folder.display());
    }
    let log = folder.join("log");
    if log.exists() {
        // Whoever runs on it holds its lock.
        drop(EmbeddedLog::open(&log).context("the log cannot be opened: a server may be running on it")?);
    }
    discard(folder)?;
    tracing::info!("deleted log and state in {}", folder.display());
    Ok(())
}
