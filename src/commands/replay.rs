//! Plays recordings into a running server.

use anyhow::Result;
use tidemill::apps::http_client;

use super::{play::Player, recording, serve::runtime};
use crate::cli::ReplayOptions;

/// Plays recordings.
pub(crate) fn replay(options: &ReplayOptions) -> Result<()> {
    let events = recording::load(&options.recordings)?;
    let ReplayOptions { url, token, speed, keep_times, .. } = options.clone();
    let http = http_client(std::time::Duration::from_mins(1))?;
    let player = Player { http, url, token, speed, keep_times };
    let played = runtime()?.block_on(player.play(events))?;
    tracing::info!("{played} events played");
    Ok(())
}
