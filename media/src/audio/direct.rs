//! Audio that FFmpeg reads by itself: files, DASH, RTMP, encrypted HLS.

use tokio::sync::watch;
use tokio::time::Instant;
use url::Url;

use crate::audio::decoder::{Decoder, Sink};
use crate::audio::{AudioOptions, AudioState};
use crate::error::MediaError;
use crate::process::{Next, Program, Restarts, input_options};
use crate::shown::host;

/// Reads until the end. The first sample has the time `start_ms`.
pub(super) async fn read(
    ffmpeg: &Program,
    media: &Url,
    is_live: bool,
    start_ms: i64,
    options: &AudioOptions,
    mut sink: Sink,
    told: &watch::Sender<AudioState>,
) -> Result<(), MediaError> {
    // FFmpeg follows redirects and playlists without asking.
    options.reach.check_program(media)?;
    let opened = Instant::now();
    let mut restarts = Restarts::new(options.backoff(2), 8);
    let mut first = true;
    loop {
        let given_ms = sink.floor_ms().unwrap_or(start_ms).max(start_ms);
        // What is not live is read on from where it broke off; what is live goes on meanwhile.
        let (skip_ms, at_ms) = match (is_live, first) {
            (false, _) => (given_ms - start_ms, given_ms),
            (true, true) => (0, start_ms),
            (true, false) => (0, given_ms.max(start_ms + opened.elapsed().as_millis() as i64)),
        };
        first = false;
        let decoder = Decoder::of_input(ffmpeg, &input_options(media, skip_ms)?, at_ms, sink)?;
        told.send_replace(AudioState::Reading);
        let decoded = decoder.finish().await?;
        sink = decoded.sink;
        if decoded.samples > 0 {
            restarts.worked();
        }
        let error = match (decoded.exit.success(), is_live) {
            (true, false) => return Ok(()),
            (true, true) => MediaError::transient("The stream broke off."),
            (false, _) => decoded.exit.explain(&host(media)),
        };
        match restarts.failed(error.clone()) {
            // A live stream that was read, ended well and cannot be had again has ended.
            Next::GiveUp(_) if decoded.exit.success() => return Ok(()),
            Next::GiveUp(error) => return Err(error),
            Next::Again { after } => {
                told.send_replace(AudioState::Waiting { reason: error.to_string() });
                tokio::time::sleep(after).await;
            }
        }
    }
}
