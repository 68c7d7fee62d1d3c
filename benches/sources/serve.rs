//! The server of a soak, as a process of its own. Its platforms are at the addresses of the stand-ins.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};
use tidemill_apps::{
    apps::{Windows, live_insight},
    server::{Server, Settings, SourceSettings},
    sources::{Guard, Keys, Platforms, RecogniserChoice, SpeechSettings},
};
use tidemill_chat::{Generic, Secret, Twitch, TwitchServers, Youtube};
use tidemill_speech::GoogleSettings;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// The variable that holds a [`Stage`].
pub(crate) const STAGE: &str = "TIDEMILL_SOAK_STAGE";

/// Where the stand-ins are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stage {
    /// The folder of the log and the state.
    pub(crate) data_dir: PathBuf,
    /// The host and port of the chat that needs a token, and the file with the token.
    pub(crate) generic: (String, PathBuf),
    /// The addresses of API, EventSub and IRC, and the file with the token.
    pub(crate) twitch: ([String; 3], PathBuf),
    /// The address of REST and gRPC, and the file with the token.
    pub(crate) youtube: (String, PathBuf),
    /// The address of the recogniser, and the file with the token.
    pub(crate) speech: (String, PathBuf),
    /// After so much audio a session is renewed, in milliseconds.
    pub(crate) longest_ms: i64,
}

/// Serves until the standard input ends, as it does when the soak is killed, or until SIGTERM.
pub(crate) async fn run() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    let stage = std::env::var(STAGE).with_context(|| format!("{STAGE} is not set: `make soak-live` sets it"))?;
    let server = Server::start(settings(serde_json::from_str(&stage)?)).await.map_err(|error| anyhow!(error))?;
    eprintln!("listening on http://{},", server.address());
    let mut asked = signal(SignalKind::terminate())?;
    let (end, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Nobody writes into it; it ends with the soak.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        drop(end);
    });
    tokio::select! {
        _ = ended => {}
        _ = asked.recv() => {}
    }
    server.close().await.map_err(|error| anyhow!(error))
}

fn settings(stage: Stage) -> Settings {
    let [api, eventsub, irc] = stage.twitch.0;
    let servers = TwitchServers { id: api.clone(), api, eventsub, irc };
    let (youtube, token) = stage.youtube;
    let platforms = Platforms::none()
        .with(Youtube::with_oauth(Secret::file(token)).servers(&youtube, &youtube))
        .with(Twitch::with_token(Secret::file(stage.twitch.1)).servers(servers))
        .with(Generic::new().token(stage.generic.0, Secret::file(stage.generic.1)));
    let mut google = GoogleSettings::new("soak", tidemill_speech::Secret::file(stage.speech.1));
    google.address = Some(stage.speech.0);
    google.limits.longest_ms = stage.longest_ms;
    google.limits.pause_after_ms = stage.longest_ms * 4 / 5;
    google.limits.overlap_ms = 3_000;
    let speech = SpeechSettings { recogniser: RecogniserChoice::Google(google), ..SpeechSettings::default() };
    let listen = ([127, 0, 0, 1], 0).into();
    let mut settings = Settings { listen, ..Settings::of(vec![&live_insight::APPLICATION]) };
    settings.data_dir = Some(stage.data_dir);
    // Caches fill in the first minutes, and not all the time: what grows afterwards would be a leak.
    settings.memory_bytes = 64 << 20;
    let windows = settings.windows_mut(&live_insight::APPLICATION);
    let (window, grace, idle_after) = (Duration::from_secs(5), Duration::from_secs(5), Duration::from_secs(5));
    *windows = Windows { window, grace, idle_after, ..*windows };
    let (guard, keys) = (Guard { allows_private: true }, Keys::default());
    settings.sources = SourceSettings { enabled: true, guard, keys, speech, platforms: Some(platforms) };
    settings
}
