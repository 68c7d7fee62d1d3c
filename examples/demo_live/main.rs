//! A live stream on this machine, from its address to the page: `make demo-live`.
//!
//! The stream is a stand-in: HLS with a test picture and a voice that reads a known script, and a chat over a WebSocket.
//! All else is what runs in production: the address goes to `POST /v1/streams`, the chat is read, the recogniser of this
//! machine turns the voice into words, and the page shows both. There is no key, no Kafka and no JVM.
#![allow(clippy::print_stdout, reason = "the program talks to the person who runs it")]

mod chatter;
mod clip;
mod stage;

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use tidemill_hls_server::Video;
use tokio::signal::unix::{Signal, SignalKind, signal};

use stage::{Plan, Stage};

/// What the user typed.
#[derive(Debug, Parser)]
#[command(name = "demo_live", about = "Shows a live stream of this machine on the dashboard")]
struct Flags {
    /// Where the server listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Ends by itself after so many seconds; without it, Ctrl-C ends the demo.
    #[arg(long)]
    seconds: Option<u64>,
    /// Seconds of an insight's window.
    #[arg(long, default_value_t = 20)]
    window: u64,
}

/// How long a step may take.
const PATIENCE: Duration = Duration::from_mins(2);

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    let flags = Flags::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(run(flags));
    // Media that is still being made is waited for: its program has ended by the same Ctrl-C.
    runtime.shutdown_timeout(Duration::from_secs(10));
    ended
}

async fn run(flags: Flags) -> Result<()> {
    let mut signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
    stage::check_programs()?;
    println!("The stream is being made: a picture by FFmpeg, a voice by espeak-ng …");
    let plan = Plan { listen: flags.listen, window: Duration::from_secs(flags.window), ..Plan::default() };
    let stage = tokio::select! {
        stage = Stage::open(plan) => stage?,
        () = any(&mut signals) => return Ok(()),
    };
    let shown = async {
        show(&stage).await?;
        match flags.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
        Ok(())
    };
    let ended = tokio::select! {
        ended = shown => ended,
        () = any(&mut signals) => Ok(()),
    };
    println!("\nThe server, the stream and the chat are being ended …");
    ended.and(stage.close().await)
}

/// The steps, one after the other.
async fn show(stage: &Stage) -> Result<()> {
    stage.start_stream().await?;
    println!(
        "\nThe page: {}\n\nWhat to look at:\n\
         - The steps at the top say that the chat is connected and that the stream is listened to.\n\
         - The script: {}\n\
         - After about 40 seconds the first insight shows chat, mood, and what the chat said to which words.\n\
         - \"Clips\" has candidates, the queue and downloads; \"Clip this\" cuts the chosen window.\n\
         - Pause and resume the stream with the buttons beside its state.\n\
         - The stream itself: {}\n",
        stage.page(),
        Stage::script().join(" "),
        stage.media(),
    );
    stage.until_connected(PATIENCE).await?;
    println!("The chat is connected, the stream is listened to.");
    let count = stage.until_chat(5, PATIENCE).await?;
    println!("{count} messages of the chat are on the log.");
    let words = stage.until_words(3, PATIENCE).await?;
    println!("Words of the script that the recogniser heard: {}.", words.join(", "));
    let insight = stage.until_insight(PATIENCE).await?;
    let instruction = insight["instruction"].as_str().context("an insight says what to do")?;
    println!("The first insight: {} messages, mood {}. {instruction}", insight["chats"], insight["mood"]);
    match stage.clip(PATIENCE).await.and_then(|clip| clip.check().map(|()| clip)) {
        Ok(clip) => {
            let (Video { seconds, width, height, .. }, words) = (&clip.video, &clip.words);
            println!(
                "A clip was asked for and downloaded: {}\n  {seconds:.1} s, {width}×{height}, sound, and these words burnt in: {words}",
                clip.file.display()
            );
        }
        // The page is still worth a look.
        Err(error) => println!("No clip: {error:#}"),
    }
    println!("\nThe stream goes on. Ctrl-C ends it all.");
    Ok(())
}

async fn any([interrupt, terminate]: &mut [Signal; 2]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
