//! The stand-ins and the server of the demo, and its steps.

use std::{net::SocketAddr, path::Path, process::Command, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill::{Clock as _, SystemClock};
use tidemill_apps::{
    apps::{Windows, http_client, live_insight},
    server::{Server, Settings, SourceSettings},
    sources::{Guard, Keys, RecogniserChoice, SpeechSettings},
};
use tidemill_chat_servers::{GenericServer, Schedule as ChatSchedule};
use tidemill_hls_server::{Content, HlsServer, SCRIPT, Schedule, script};
use tokio::task::JoinHandle;

use crate::chatter;

/// The id of the stream.
pub(crate) const STREAM: &str = "final-match";
/// How long the media is; the stream plays it again and again.
const MEDIA_S: u32 = 60;
/// So many segments of two seconds stay in the playlist: a window that is over can still become a clip.
const REWIND: u64 = 90;

/// How the demo runs.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) listen: SocketAddr,
    pub(crate) window: Duration,
    /// Words arrive later than chat.
    pub(crate) grace: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, window: Duration::from_secs(20), grace: Duration::from_secs(20) }
    }
}

/// A stream, its chat, and the server that reads both. What they started ends when they are closed or dropped.
pub(crate) struct Stage {
    pub(crate) server: Arc<Server>,
    hls: HlsServer,
    chat: Arc<GenericServer>,
    chatter: JoinHandle<()>,
    pub(crate) http: reqwest::Client,
    /// The media and the clips; deleted at the end.
    folder: TempDir,
}

/// The programs that the demo needs, each with an argument that ends it at once.
const PROGRAMS: [(&str, &str); 4] = [
    ("ffmpeg", "-version"),
    ("ffprobe", "-version"),
    ("espeak-ng", "--version"),
    ("pocketsphinx_continuous", "-version"),
];

/// Step: looks whether all programs are there.
///
/// # Errors
/// Names those that are missing, and what installs them.
pub(crate) fn check_programs() -> Result<()> {
    let is_missing = |(program, argument): &(&str, &str)| Command::new(program).arg(argument).output().is_err();
    let missing: Vec<_> = PROGRAMS.iter().filter(|one| is_missing(one)).map(|(program, _)| *program).collect();
    let packages = "ffmpeg espeak-ng pocketsphinx pocketsphinx-en-us";
    ensure!(
        missing.is_empty(),
        "{} missing: run '.ci/prerequisites media speech' as root, or on Debian 'sudo apt-get install {packages}'",
        missing.join(", ")
    );
    Ok(())
}

impl Stage {
    /// Step: makes the stream and its chat, and starts the server.
    pub(crate) async fn open(plan: Plan) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().to_owned();
        let content = tokio::task::spawn_blocking(move || Content::make(&path, &script(), MEDIA_S)).await?;
        let content = Arc::new(content.context("the media of the stream cannot be made")?);
        let schedule = Schedule { start_ms: SystemClock.now_ms() - 6_000, window: REWIND, ..Schedule::default() };
        let hls = HlsServer::start(content, schedule).await?;
        let chat = Arc::new(GenericServer::start(ChatSchedule::default()));
        let server = Server::start(settings(&plan, folder.path())).await.map_err(|error| anyhow!(error));
        let remedy = || format!("the server cannot listen on {}; --listen 127.0.0.1:0 takes a free port", plan.listen);
        let server = server.with_context(remedy)?;
        let chatter = tokio::spawn(chatter::write(chat.clone()));
        let http = http_client(Duration::from_secs(30))?;
        Ok(Self { server, hls, chat, chatter, http, folder })
    }

    /// The address of the stream's page.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/live/{STREAM}", self.server.address())
    }

    /// The address of the stream.
    pub(crate) fn media(&self) -> String {
        self.hls.url("/live/master.m3u8")
    }

    /// The sentences of the script.
    pub(crate) fn script() -> Vec<&'static str> {
        SCRIPT.iter().map(|(_, text)| *text).collect()
    }

    /// Step: sends the address of the stream, as the page does.
    pub(crate) async fn start_stream(&self) -> Result<()> {
        let options = json!({
            "chat": self.chat.socket(), "cursor_parameter": "cursor", "fields": { "timestamp": "time" },
        });
        let title = "The final match";
        let asked = json!({ "url": self.media(), "stream_id": STREAM, "title": title, "options": options });
        // The server reads its sources first.
        for _ in 0..100 {
            let url = format!("http://{}/v1/streams", self.server.address());
            let response = self.http.post(url).json(&asked).send().await?;
            match response.status().as_u16() {
                503 => tokio::time::sleep(Duration::from_millis(100)).await,
                200 | 201 => return Ok(()),
                status => bail!("the stream was refused with {status}: {}", response.text().await?),
            }
        }
        bail!("the server does not take streams")
    }

    /// Step: waits until the chat is read and the stream is listened to.
    pub(crate) async fn until_connected(&self, patience: Duration) -> Result<()> {
        let connected = async || {
            let source = self.source().await?;
            let is = source["state"] == "connected" && source["speech"]["state"] == "listening";
            Ok(is.then_some(()))
        };
        until(patience, "the stream is not connected", connected).await
    }

    /// Step: waits until so many messages of the chat are counted. Returns how many there are.
    pub(crate) async fn until_chat(&self, messages: u64, patience: Duration) -> Result<u64> {
        let counted = async || Ok(self.source().await?["messages"].as_u64().filter(|counted| *counted >= messages));
        until(patience, "no chat arrives", counted).await
    }

    /// Step: waits until so many words of the script are in the transcript. Returns those that are.
    pub(crate) async fn until_words(&self, count: usize, patience: Duration) -> Result<Vec<String>> {
        let heard = async || {
            let words = self.words()?;
            Ok((words.len() >= count).then_some(words))
        };
        until(patience, "no words of the script arrive", heard).await
    }

    /// Step: waits for an insight with chat.
    pub(crate) async fn until_insight(&self, patience: Duration) -> Result<Value> {
        let seen = async || {
            let insights = self.values(live_insight::INSIGHTS)?;
            Ok(insights.into_iter().find(|insight| insight["chats"].as_u64() > Some(0)))
        };
        until(patience, "no insight arrives", seen).await
    }

    /// Words of the script, of four letters at least, that are in the transcript.
    pub(crate) fn words(&self) -> Result<Vec<String>> {
        let words = |text: &str| -> Vec<String> {
            let words = text.split(|c: char| !c.is_ascii_alphabetic()).map(str::to_ascii_lowercase);
            words.filter(|word| word.len() >= 4).collect()
        };
        let mut expected: Vec<_> = Self::script().into_iter().flat_map(words).collect();
        expected.sort();
        expected.dedup();
        let said = self.values(live_insight::TRANSCRIPT)?;
        let said: Vec<_> = said.iter().filter_map(|segment| segment["text"].as_str()).flat_map(words).collect();
        expected.retain(|word| said.contains(word));
        Ok(expected)
    }

    async fn source(&self) -> Result<Value> {
        let url = format!("http://{}/v1/streams/{STREAM}", self.server.address());
        let answer: Value = self.http.get(url).send().await?.json().await?;
        let source = &answer["source"];
        for part in [source, &source["speech"]] {
            ensure!(part["state"] != "refused", "{}; {}", part["reason"], part["remedy"]);
        }
        Ok(source.clone())
    }

    /// Where files of the demo lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn values(&self, topic: &str) -> Result<Vec<Value>> {
        let records = self.server.engine().log().read_all(topic)?.into_iter();
        Ok(records.filter_map(|(_, record)| serde_json::from_slice(&record.value?).ok()).collect())
    }

    /// Ends the server and all programs that it started.
    pub(crate) async fn close(self) -> Result<()> {
        self.chatter.abort();
        self.server.close().await.map_err(|error| anyhow!(error))
    }
}

fn settings(plan: &Plan, folder: &Path) -> Settings {
    let mut settings = Settings { listen: plan.listen, ..Settings::of(vec![&live_insight::APPLICATION]) };
    let windows = settings.windows_mut(&live_insight::APPLICATION);
    *windows = Windows { window: plan.window, grace: plan.grace, ..*windows };
    let speech = SpeechSettings { recogniser: RecogniserChoice::Pocketsphinx, ..SpeechSettings::default() };
    // The stream is on this machine.
    let guard = Guard { allows_private: true };
    settings.sources = SourceSettings { enabled: true, guard, keys: Keys::default(), speech, platforms: None };
    settings.clips.folder = Some(folder.join("clips"));
    settings
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(patience: Duration, what: &str, ask: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
    let answer = async {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(patience, answer).await.unwrap_or_else(|_| bail!("{what} within {} s", patience.as_secs()))
}
