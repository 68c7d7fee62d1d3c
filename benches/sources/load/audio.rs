//! Sources that are listened to.

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tidemill::{Clock as _, SystemClock, transport::embedded::EmbeddedLog};
use tidemill_apps::apps::live_insight;
use tidemill_chat_servers::{GenericServer, Schedule as ChatSchedule};
use tidemill_hls_server::{Content, HlsServer, Schedule, script};
use tidemill_speech_server::{GoogleServer, GoogleSettings, Script, Talk, Voice};

use super::{Options, Recogniser, per_source, server};
use crate::figures::{Figures, mebibytes};

/// How long the media is before it is played again.
const MEDIA_S: u32 = 60;

pub(super) async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (content, path, settings, _google) = match options.recogniser {
        Recogniser::Pocketsphinx => {
            let media = folder.path().to_owned();
            let content = tokio::task::spawn_blocking(move || Content::make(&media, &script(), MEDIA_S)).await?;
            let content = content.context("FFmpeg cannot make the media; '.ci/prerequisites media speech' helps")?;
            (content, "/live/master.m3u8", vec!["sources.speech=pocketsphinx".to_owned()], None)
        }
        Recogniser::Scripted => {
            let script = Arc::new(Script::random(1, (options.seconds as i64 + 30) * 1_000, Talk::Pausing));
            let google = GoogleServer::start(GoogleSettings::new(script.clone())).await?;
            let content = Content::of_samples(&Voice::new(script).flatten().collect::<Vec<i16>>());
            let key = folder.path().join("token");
            std::fs::write(&key, "token")?;
            let endpoint = format!("sources.speech_endpoint={}", google.address());
            let key = format!("sources.speech_key_file={}", key.display());
            let settings =
                vec!["sources.speech=google".to_owned(), "sources.speech_project=load".to_owned(), endpoint, key];
            (content, "/live/video.m3u8", settings, Some(google))
        }
    };
    let instance = server(folder.path(), &settings).await?;
    let empty = instance.usage()?;
    let chat = GenericServer::start(ChatSchedule::default());
    let start_ms = SystemClock.now_ms() - 6_000;
    let hls = HlsServer::start(Arc::new(content), Schedule { start_ms, ..Schedule::default() }).await?;
    for source in 0..options.audio {
        let media = format!("{}?source={source}", hls.url(path));
        instance.start_stream(&format!("s{source}"), &media, json!({ "chat": chat.socket() })).await?;
    }
    let (began, started, mut peak) = (instance.usage()?, Instant::now(), 0);
    while started.elapsed() < options.length() {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        peak = peak.max(instance.usage()?.programs_rss);
    }
    let (ended, wall, end_ms) = (instance.usage()?, started.elapsed(), SystemClock.now_ms());
    let mut states = Vec::new();
    for source in 0..options.audio {
        states.push(instance.source(&format!("s{source}")).await?["speech"].clone());
    }
    instance.close().await?;

    let mut figures = Figures::default();
    figures.add("sources that are listened to", options.audio);
    figures.add("recogniser", format!("{:?}", options.recogniser).to_lowercase());
    let [server, programs] = per_source(began, ended, wall, options.audio);
    figures.add("CPU of a source, in % of a core: server", format!("{server:.1}"));
    figures.add("CPU of a source, in % of a core: FFmpeg and recogniser", format!("{programs:.1}"));
    let growth = ended.server_rss.saturating_sub(empty.server_rss) as f64;
    figures.add("memory of a source: server", mebibytes(growth / options.audio as f64));
    figures.add("memory of a source: FFmpeg and recogniser, at most", mebibytes(peak as f64 / options.audio as f64));
    let said = said(folder.path())?;
    let words: usize = said.iter().map(|one| one["text"].as_str().unwrap_or_default().split_whitespace().count()).sum();
    figures.add("words in the transcripts, in all", words);
    let behind = (0..options.audio).map(|source| {
        let of_source = said.iter().filter(|one| one["stream_id"] == format!("s{source}"));
        let end = of_source.filter_map(|one| Some(one["timestamp"].as_i64()? + one["duration_ms"].as_i64()?)).max();
        end.map_or(wall.as_secs_f64(), |end| (end_ms - end) as f64 / 1_000.0)
    });
    let behind: Vec<_> = behind.collect();
    let mean = behind.iter().sum::<f64>() / behind.len() as f64;
    let most = behind.iter().copied().fold(0.0, f64::max);
    figures.add("the last word is behind the clock, in seconds", format!("mean {mean:.1}, at most {most:.1}"));
    let listening = states.iter().filter(|state| state["state"] == "listening").count();
    let told = format!("{listening} of {}", options.audio);
    figures.check("sources that are still listened to", told, listening == options.audio);
    let wrong = figures.print("Load of live sources: speech");
    ensure!(wrong.is_empty(), "this does not hold: {}; {states:?}", wrong.join("; "));
    Ok(())
}

/// All that was said.
fn said(folder: &Path) -> Result<Vec<Value>> {
    let log = EmbeddedLog::open(folder.join("data").join("log"))?;
    let records = log.read_all(live_insight::TRANSCRIPT)?.into_iter().filter_map(|(_, record)| record.value);
    Ok(records.filter_map(|value| serde_json::from_slice(&value).ok()).collect())
}
