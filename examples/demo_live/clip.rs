//! The demo's last step: a clip, as a streamer would download it.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidemill_apps::apps::live_insight;
use tidemill_hls_server::{Difference, Video};

use crate::stage::{STREAM, Stage, until};

/// What the clip has before and after the words.
const AROUND_MS: i64 = 1_500;

/// A downloaded clip.
pub(crate) struct Clip {
    pub(crate) file: PathBuf,
    pub(crate) video: Video,
    /// What is burnt in.
    pub(crate) words: String,
    /// By how much the lower third of the picture differs from the same clip without captions while the words are shown:
    /// mean steps of brightness, of 255.
    pub(crate) difference: f64,
}

impl Clip {
    /// What is wrong with it, if anything.
    pub(crate) fn check(&self) -> Result<()> {
        let Video { seconds, width, height, has_sound } = &self.video;
        ensure!((2.0..60.0).contains(seconds), "the clip lasts {seconds} s");
        ensure!(width * 16 == height * 9, "the clip is {width}×{height}, and not 9:16");
        ensure!(*has_sound, "the clip has no sound");
        ensure!(self.difference > 1.0, "the clip shows no captions: {:.2}", self.difference);
        Ok(())
    }
}

impl Stage {
    /// Step: asks for a clip of the last words that were heard, in 9:16 with captions, downloads it, and looks at it.
    pub(crate) async fn clip(&self, patience: Duration) -> Result<Clip> {
        let said = self.values(live_insight::TRANSCRIPT)?;
        let said = said.iter().rfind(|said| said["text"].as_str().is_some_and(|text| text.len() > 12));
        let said = said.context("nothing was heard")?;
        let start_ms = said["timestamp"].as_i64().context("a segment has a time")?;
        let lasts_ms = said["duration_ms"].as_i64().unwrap_or_default().clamp(1_000, 20_000);
        let (captioned, plain) = tokio::try_join!(
            self.download(start_ms, lasts_ms, true, patience),
            self.download(start_ms, lasts_ms, false, patience)
        )?;
        let at_s = (AROUND_MS + lasts_ms / 2) as f64 / 1_000.0;
        Ok(Clip {
            video: Video::of(&captioned)?,
            words: said["text"].as_str().unwrap_or_default().to_owned(),
            difference: Difference::at(at_s, &captioned, &plain)?.lower,
            file: captioned,
        })
    }

    async fn download(&self, start_ms: i64, lasts_ms: i64, captions: bool, patience: Duration) -> Result<PathBuf> {
        let clips = format!("http://{}/v1/streams/{STREAM}/clips", self.server.address());
        let end_ms = start_ms + lasts_ms + AROUND_MS;
        let asked = json!({
            "start_ms": start_ms - AROUND_MS, "end_ms": end_ms, "shape": "portrait", "captions": captions,
            "reason": "What was just said",
        });
        let answer = self.http.post(&clips).json(&asked).send().await?.error_for_status()?;
        let clip: Value = answer.json().await?;
        let id = clip["id"].as_str().context("a clip has an id")?;
        let made = async || {
            let clip: Value = self.http.get(format!("{clips}/{id}")).send().await?.json().await?;
            ensure!(clip["state"] != "failed", "the clip could not be made: {}", clip["trouble"]);
            Ok((clip["state"] == "done").then_some(clip))
        };
        until(patience, "the clip is not made", made).await?;
        let answer = self.http.get(format!("{clips}/{id}/file")).send().await?.error_for_status()?;
        let file = self.folder().join(format!("clip-{}.mp4", if captions { "captioned" } else { "plain" }));
        tokio::fs::write(&file, answer.bytes().await?).await?;
        Ok(file)
    }
}
