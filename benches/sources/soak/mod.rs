//! A soak: streams of all platforms with faults by seed, and what must hold at the end by the logs of the stand-ins.

mod align;
mod checks;
mod stands;
mod watch;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;

use crate::{figures::Figures, instance::Instance};

use stands::Stands;
use watch::Watch;

/// How long everything may take to arrive after the last message. Back-off takes two minutes at most.
const DRAIN: Duration = Duration::from_secs(150);

/// How long the last windows may take to close, and insights to come. What was late is in none.
const LAST_WINDOWS: Duration = Duration::from_mins(1);

/// How a soak runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// How many minutes viewers write and streamers speak.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) minutes: f64,
    /// Decides which faults strike.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Messages a second of each chat.
    #[arg(long, default_value_t = 5)]
    pub(crate) per_second: u64,
    /// How much audio a session of the recogniser takes, in seconds.
    #[arg(long, default_value_t = 30)]
    pub(crate) session: u64,
}

impl Options {
    /// A short soak, for tests.
    pub(crate) fn short() -> Self {
        Self { minutes: 0.35, seed: 1, per_second: 8, session: 10 }
    }

    fn length(&self) -> Duration {
        Duration::from_secs_f64(self.minutes * 60.0)
    }
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let stands = Stands::open(&options, folder.path()).await?;
    let stage = stands.stage(folder.path());
    let instance = Instance::of_soak(&stage).await?;
    for (id, url, asked) in stands.sources() {
        instance.start_stream(id, &url, asked).await?;
    }
    let mut watch = Watch::new();
    let started = Instant::now();
    let mut posted = 0;
    while started.elapsed() < options.length() {
        let due = (started.elapsed().as_secs_f64() * options.per_second as f64) as usize;
        (posted..due).for_each(|number| stands.post(number));
        posted = posted.max(due);
        watch.look(&instance, Stands::ids()).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stands.end();
    let ended = Instant::now();
    let mut open = watch.look(&instance, Stands::ids()).await?;
    while !open.is_empty() && ended.elapsed() < DRAIN {
        tokio::time::sleep(Duration::from_millis(100)).await;
        open = watch.look(&instance, Stands::ids()).await?;
    }
    // The last windows close when their streams have been silent for a while.
    let ended_at = Instant::now();
    while ended_at.elapsed() < LAST_WINDOWS && !stands.are_counted(&instance).await? {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    instance.close().await?;

    let mut figures = Figures::default();
    figures.add("viewers wrote and streamers spoke for", format!("{:.0?}", options.length()));
    let told = format!("after further {:.1?} {}", ended.elapsed(), open.join(", "));
    figures.check("all streams have ended", told.trim(), open.is_empty());
    checks::chats(&mut figures, &stands, &stage.data_dir)?;
    checks::words(&mut figures, &stands, &stage.data_dir)?;
    watch.report(&mut figures);
    let wrong = figures.print(&format!("Soak of live sources, seed {}", options.seed));
    ensure!(wrong.is_empty(), "this does not hold: {}", wrong.join("; "));
    Ok(())
}
