//! Plays recordings into a running server.

use std::time::Duration;

use anyhow::Result;
use tidemill::{Clock as _, SystemClock};
use tidemill_apps::apps::http_client;

use super::{
    play::{play, playing_ms},
    post::Post,
    recording,
    serve::runtime,
};
use crate::cli::ReplayOptions;

/// Recordings are shifted by a multiple of this time, in milliseconds.
const MINUTE_MS: i64 = 60_000;
/// How long after an event the server knows whether it was late.
const LATE: Duration = Duration::from_secs(2);
/// The most owners whose late events are told in full.
const TOLD: usize = 10;

/// Plays recordings.
pub(crate) fn replay(options: &ReplayOptions) -> Result<()> {
    let events = recording::load(&options.recordings)?;
    let ReplayOptions { url, token, speed, keep_times, .. } = options.clone();
    let http = http_client(Duration::from_mins(1))?;
    // Times are shifted so that the last event is sent at its own time, none in the future. The shift is whole minutes,
    // so that windows hold the same events as in the recording.
    let last_ms = events.last().map_or(0, |last| last.timestamp);
    let shift_ms = SystemClock.now_ms() + playing_ms(&events, speed) - last_ms;
    let shift_ms = if keep_times { 0 } else { shift_ms.div_euclid(MINUTE_MS) * MINUTE_MS };
    let mut post = Post::new(http, url, token, shift_ms);
    let owners = events.iter().map(|event| (event.app.owner.plural, event.key())).collect();
    runtime()?.block_on(async {
        let (before, _) = post.late(&owners).await;
        play(&events, 0, speed, &mut post).await?;
        tracing::info!("{} events played", events.len());
        // The server reports late events each second.
        tokio::time::sleep(LATE).await;
        let (total, details) = post.late(&owners).await;
        if total > before {
            let late = total - before;
            tracing::warn!(
                "{late} of these events came too late and will be in no result, such as those that are played twice"
            );
            details.iter().take(TOLD).for_each(|detail| tracing::warn!("{detail}"));
        }
        Ok(())
    })
}
