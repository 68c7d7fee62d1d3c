//! The stand-ins of a soak, and their faults.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tidemill::{Clock as _, SystemClock};
use tidemill_chat_servers::{GenericServer, Kind, Line, Log, Rates, Schedule, TwitchServer, YoutubeServer, crowd};
use tidemill_hls_server::{Captions as HlsCaptions, Content, Faults as HlsFaults, HlsServer, Schedule as HlsSchedule};
use tidemill_speech_server::{Door, Faults as SpeechFaults, GoogleServer, GoogleSettings, Script, Talk, Voice};

use super::Options;
use crate::{instance::Instance, serve::Stage};

/// The streams.
const IDS: [&str; 5] = ["polled", "socket", "twitch", "youtube-stream", "youtube-poll"];
/// Those that are spoken in, and the stand-in that has their audio.
pub(super) const SPOKEN: [(&str, usize); 2] = [("socket", 0), ("youtube-poll", 1)];

/// The length of a segment of audio, in milliseconds.
pub(super) const SEGMENT_MS: i64 = tidemill_hls_server::SEGMENT_MS;

/// The stand-ins.
pub(super) struct Stands {
    polled: GenericServer,
    socket: GenericServer,
    twitch: TwitchServer,
    youtube: YoutubeServer,
    pub(super) speech: GoogleServer,
    pub(super) audio: [HlsServer; 2],
    /// Segments of the second stream that are lost.
    pub(super) lost: Vec<u64>,
    /// What is said in both streams.
    pub(super) script: Arc<Script>,
    lines: [Vec<Line>; 4],
    session_ms: i64,
}

impl Stands {
    pub(super) async fn open(options: &Options, folder: &Path) -> Result<Self> {
        let seed = options.seed;
        let file = |name: &str| folder.join(name);
        let token = |name: &str, lasts| Schedule {
            token: Some(format!("{name}-token")),
            token_file: Some(file(name)),
            token_lasts: Some(lasts),
            ..Schedule::default()
        };
        let rates = Rates {
            unavailable: 0.02,
            rate_limited: 0.02,
            cut: 0.02,
            duplicated: 0.1,
            replayed: 0.1,
            forgotten: 0.01,
            moved: 0.005,
        };
        // Single messages are sent, not answers with many.
        let single = Rates { unavailable: 0.2, rate_limited: 0.1, replayed: 0.5, cut: 0.005, ..rates };
        let polled = Schedule { seed, rates, skew_ms: 45_000, pause_ms: 200, ..token("generic", 40) };
        let socket = Schedule { seed: seed + 1, rates: single, ..Schedule::default() };
        // A connection to Twitch takes many requests, and each may be refused.
        let many = Rates { unavailable: 0.02, rate_limited: 0.02, ..single };
        let twitch = Schedule { seed: seed + 2, rates: many, skew_ms: -30_000, ..token("twitch", 25) };
        // YouTube is asked every five seconds at most: with short answers, a chat would fall behind for ever.
        let youtube = Schedule { seed: seed + 3, rates, pause_ms: 200, most: 200, ..token("youtube", 40) };

        let length_ms = options.length().as_millis() as i64 / SEGMENT_MS * SEGMENT_MS;
        let script = Arc::new(Script::random(seed, length_ms, Talk::Breathless));
        let voice = Voice::new(script.clone());
        let samples = tokio::task::spawn_blocking(move || voice.flatten().collect::<Vec<i16>>()).await?;
        let content = Arc::new(Content::of_samples(&samples));
        let segments = (length_ms / SEGMENT_MS) as u64;
        let lost = vec![segments / 2];
        let faults = |number: u64| HlsFaults {
            seed: seed + number,
            busy: 0.08,
            cut: 0.08,
            slow: 0.05,
            slow_ms: 2_500,
            stalls: std::iter::once(segments / 3..segments / 3 + 2).collect(),
            ..HlsFaults::default()
        };
        let schedule = HlsSchedule {
            start_ms: SystemClock.now_ms() - 3 * SEGMENT_MS,
            window: 30,
            ends_after: Some(segments),
            captions: HlsCaptions::Off,
            ..HlsSchedule::default()
        };
        let first = HlsSchedule { faults: faults(0), ..schedule.clone() };
        let second = HlsSchedule { faults: HlsFaults { lost: lost.clone(), ..faults(1) }, ..schedule };
        let audio = [HlsServer::start(content.clone(), first).await?, HlsServer::start(content, second).await?];

        let session_ms = options.session as i64 * 1_000;
        let mut google = GoogleSettings::new(script.clone());
        google.longest_ms = session_ms;
        google.faults = SpeechFaults { seed, unavailable: 0.1, exhausted: 0.1, cut: 0.3, late: 0.2, jitter_ms: 80 };
        google.door = Door::Expiring { file: file("speech"), times: 6 };
        let speech = GoogleServer::start(google).await.context("the stand-in of the recogniser")?;

        let count = (options.length().as_secs() + 2) * options.per_second;
        // Bots, withdrawals and bans change what is counted. Tests of the connectors try them.
        let is_counted = |line: &Line| {
            line.user_name != "Nightbot" && !matches!(line.kind, Kind::Deleted { .. } | Kind::Banned { .. })
        };
        let lines = |chat: u64| -> Vec<Line> {
            let all = crowd(seed * 10 + chat, count as usize * 2, 0).into_iter();
            all.filter(is_counted).take(count as usize).collect()
        };
        Ok(Self {
            polled: GenericServer::start(polled),
            socket: GenericServer::start(socket),
            twitch: TwitchServer::start(twitch),
            youtube: YoutubeServer::start(youtube),
            speech,
            audio,
            lost,
            script,
            lines: [0, 1, 2, 3].map(lines),
            session_ms,
        })
    }

    /// What the server is told of the stand-ins.
    pub(super) fn stage(&self, folder: &Path) -> Stage {
        let host = self.polled.polled().replace("http://", "").replace("/chat", "");
        Stage {
            data_dir: folder.join("data"),
            generic: (host, folder.join("generic")),
            twitch: ([self.twitch.url(), self.twitch.eventsub(), self.twitch.irc()], folder.join("twitch")),
            youtube: (self.youtube.url(), folder.join("youtube")),
            speech: (self.speech.address(), folder.join("speech")),
            longest_ms: self.session_ms * 19 / 20,
        }
    }

    /// The streams: id, address and options.
    pub(super) fn sources(&self) -> [(&'static str, String, Value); 5] {
        let [polled, socket, twitch, stream, poll] = IDS;
        let time = json!({ "timestamp": "time" });
        let audio = |number: usize| self.audio[number].url("/live/video.m3u8");
        let of_socket = json!({ "cursor_parameter": "cursor", "fields": time, "media": audio(0) });
        [
            (polled, self.polled.polled(), json!({ "fields": time, "speech": false })),
            (socket, self.socket.socket(), of_socket),
            (twitch, "https://www.twitch.tv/ada".to_owned(), json!({ "speech": false })),
            (stream, "https://www.youtube.com/watch?v=video-1".to_owned(), json!({ "speech": false })),
            (poll, "https://www.youtube.com/@ada".to_owned(), json!({ "transport": "poll", "media": audio(1) })),
        ]
    }

    pub(super) fn ids() -> &'static [&'static str] {
        &IDS
    }

    /// What the server of a stream's chat did.
    pub(super) fn log(&self, id: &str) -> Log {
        match id {
            "polled" => self.polled.log(),
            "socket" => self.socket.log(),
            "twitch" => self.twitch.log(),
            _ => self.youtube.log(),
        }
    }

    /// Whether insights count all messages of the streams without speech.
    pub(super) async fn are_counted(&self, instance: &Instance) -> Result<bool> {
        for id in IDS.iter().filter(|id| SPOKEN.iter().all(|(spoken, _)| spoken != *id)) {
            if instance.counted(id).await? < self.log(id).posted.len() as u64 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A viewer of each chat writes.
    pub(super) fn post(&self, number: usize) {
        let at_ms = SystemClock.now_ms();
        let line = |chat: usize| self.lines[chat].get(number).map(|line| Line { at_ms, ..line.clone() });
        self.polled.post(line(0));
        self.socket.post(line(1));
        self.twitch.post(line(2));
        self.youtube.post(line(3));
    }

    /// The chats end after their last lines. The audio ends by itself.
    pub(super) fn end(&self) {
        self.polled.end();
        self.socket.end();
        self.twitch.end();
        self.youtube.end();
    }
}
