//! The stand-in as a program.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use tidemill_hls_server::{Captions, Content, Faults, HlsServer, Line, Pace, Schedule, script};

/// What the user typed.
#[derive(Debug, Parser)]
#[command(name = "tidemill-hls-server", about = "A local stand-in for a live stream over HLS")]
struct Flags {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8092")]
    listen: SocketAddr,
    /// Where the media is made; it must exist.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// What is said: lines of SECONDS TEXT. Without it, a minute about a game.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// How long the media is; a longer stream plays it again.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// How many times as fast as real time the stream goes on.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// How many segments the playlist lists.
    #[arg(long, default_value_t = 6)]
    window: u64,
    /// After how many segments of two seconds the stream ends.
    #[arg(long, value_name = "SEGMENTS")]
    ends_after: Option<u64>,
    /// The captions beside the media: off, cues, cut where segments end, or roll-up.
    #[arg(long, value_name = "KIND", default_value = "cues", value_parser = captions)]
    captions: Captions,
    /// Decides which segments are struck by faults.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The share of segments whose first request is answered with status 503.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    busy: f64,
    /// The share of segments whose first request breaks off.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    cut: f64,
    /// The share of segments whose first request takes five seconds.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    slow: f64,
}

fn captions(text: &str) -> Result<Captions, String> {
    match text {
        "off" => Ok(Captions::Off),
        "cues" => Ok(Captions::Cues),
        "cut" => Ok(Captions::Cut),
        "roll-up" => Ok(Captions::RollUp),
        _ => Err("write off, cues, cut or roll-up".to_owned()),
    }
}

fn lines(text: &str) -> Result<Vec<Line>, String> {
    let line = |line: &str| {
        let (seconds, text) = line.trim().split_once(' ').ok_or_else(|| format!("'{line}' is not SECONDS TEXT"))?;
        let seconds: f64 = seconds.parse().map_err(|_| format!("'{seconds}' is not a number of seconds"))?;
        Ok(Line { start_ms: (seconds * 1000.0) as i64, text: text.trim().to_owned() })
    };
    text.lines().filter(|text| !text.trim().is_empty()).map(line).collect()
}

async fn run(flags: Flags) -> Result<(), String> {
    let lines = match &flags.script {
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            lines(&text)?
        }
        None => script(),
    };
    let folder = flags.folder.clone();
    let make = tokio::task::spawn_blocking(move || Content::make(&folder, &lines, flags.seconds));
    let content =
        make.await.map_err(|error| error.to_string())?.map_err(|error| format!("cannot make the media: {error}"))?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let schedule = Schedule {
        start_ms: now_ms,
        pace: Pace::Scaled(flags.speed),
        window: flags.window,
        ends_after: flags.ends_after,
        captions: flags.captions,
        faults: Faults {
            seed: flags.seed,
            busy: flags.busy,
            cut: flags.cut,
            slow: flags.slow,
            slow_ms: 5000,
            ..Faults::default()
        },
        ..Schedule::default()
    };
    let server = HlsServer::start_on(flags.listen, Arc::new(content), schedule)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", flags.listen))?;
    eprintln!("{}\n{}", server.url("/watch"), server.url("/live/master.m3u8"));
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
