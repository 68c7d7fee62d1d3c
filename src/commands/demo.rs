//! Runs both applications and plays recordings into them.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde_json::Value;
use tidemill_apps::{
    apps::Input,
    server::{Feed, Server},
};

use super::{
    place::Place,
    play::{Sink, play},
    playlist::Playlist,
    recording::Event,
    serve::{announce, close, runtime, start, until_stopped},
    signals::Signals,
};
use crate::{cli::DemoOptions, config::Config};

/// The longest time span of one batch, in milliseconds. With a longer span, one input of a window could be ahead of the
/// other input by more than the window's grace, at any speed.
const SLICE_MS: i64 = 500;
/// The shortest `idle_after` of a demo: a short delay of the player must not count as silence.
const LEAST_IDLE: Duration = Duration::from_secs(5);
/// How long the demo waits for the last results.
const PATIENCE: Duration = Duration::from_mins(5);

/// Serves both applications and plays recordings into them. With a data folder, a killed demo continues where it
/// stopped.
pub(crate) fn demo(config: Config, options: &DemoOptions) -> Result<()> {
    let mut settings = config.settings;
    for app in settings.apps.clone() {
        let windows = settings.windows_mut(app);
        windows.idle_after = windows.idle_after.max(LEAST_IDLE);
    }
    let playlist = Playlist::of(options, &settings)?;
    // The place is kept only in a log that outlives the demo and belongs to the demo alone.
    let folder = settings.data_dir.as_ref().filter(|_| settings.kafka.is_none());
    let place = match folder {
        Some(folder) => Place::in_folder(folder, &playlist, options.speed)?,
        None => Place::beginning(&playlist, options.speed),
    };
    let begins = folder.is_none();
    runtime()?.block_on(async {
        let server = start(settings).await?;
        let mut signals = Signals::listen()?;
        print_banner(&server, &playlist, options.speed);
        announce(&server);
        if begins {
            Feed::begin(&*server.engine().log().transport(), &place.text())?;
        }
        let mut input = Playing { feed: server.feed()?, place, batch: Vec::new(), from_ms: 0 };
        let played = async {
            let first = input.place.played;
            play(&playlist.events, first, options.speed, &mut input).await?;
            let complete = analysed(&server, &playlist, &input.place).await?;
            input.place.done = true;
            input.flush().await?;
            Ok::<bool, anyhow::Error>(complete)
        };
        let played = tokio::select! {
            played = played => played,
            ended = until_stopped(&server, &mut signals) => return ended.and(close(&server, signals).await),
        };
        let ended = match played {
            Ok(false) if options.once => bail_late(),
            Ok(_) if options.once => Ok(()),
            Ok(_) => {
                tracing::info!("the recordings are played; the pages stay open until Ctrl-C");
                until_stopped(&server, &mut signals).await
            }
            Err(error) => Err(error),
        };
        ended.and(close(&server, signals).await)
    })
}

/// Prints the addresses of the pages that show the recordings.
#[expect(clippy::print_stdout, reason = "the addresses are for the person who started the demo, whatever is logged")]
fn print_banner(server: &Server, playlist: &Playlist, speed: f64) {
    let (settings, address) = (server.engine().settings(), server.address());
    let owners: BTreeSet<_> = playlist.due(settings).into_iter().map(|(app, owner, _)| (app, owner)).collect();
    println!("\n  The Tidemill demo plays recordings at {speed} times their speed. Ctrl-C ends it.\n");
    for app in &settings.apps {
        for (_, owner) in owners.iter().filter(|(id, _)| *id == app.id) {
            println!("    {:14} http://{address}/{}/{owner}", app.id, app.section);
        }
    }
    println!();
}

fn bail_late() -> Result<()> {
    bail!("the recordings are played, but some of their windows have no results; the log above may say why")
}

/// Writes batches into the server, each with the player's place.
struct Playing {
    feed: Feed,
    place: Place,
    batch: Vec<(&'static Input, String)>,
    /// Time of the batch's first event.
    from_ms: i64,
}

impl Sink for Playing {
    fn fits(&self, event: &Event) -> bool {
        self.batch.is_empty() || event.timestamp - self.from_ms < SLICE_MS
    }

    fn push(&mut self, event: &Event) {
        if self.batch.is_empty() {
            self.from_ms = event.timestamp;
        }
        self.batch.push((event.input, event.at(event.timestamp + self.place.shift_ms)));
    }

    async fn flush(&mut self) -> Result<usize> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() && !self.place.done {
            return Ok(0);
        }
        self.place.played += batch.len();
        self.feed.write(&batch, &self.place.text()).await?;
        Ok(batch.len())
    }
}

/// Waits until results include every time that is due. Returns `false` if that takes too long.
async fn analysed(server: &Server, playlist: &Playlist, place: &Place) -> Result<bool> {
    let settings = server.engine().settings();
    let mut missing = playlist.due(settings);
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        for app in &settings.apps {
            let Some(results) = app.results.first() else { continue };
            for (_, record) in server.engine().log().read_all(results.topic)? {
                let Some(result) = record.value.and_then(|value| serde_json::from_slice::<Value>(&value).ok()) else {
                    continue;
                };
                let bound = |field: &str| {
                    let owner = result[app.owner.field].as_str().unwrap_or_default().to_owned();
                    (app.id, owner, result[field].as_i64().unwrap_or_default() - place.shift_ms)
                };
                let (start, end) = (bound("window_start_ms"), bound("window_end_ms"));
                if start < end {
                    let told: Vec<_> = missing.range(start..end).cloned().collect();
                    for time in &told {
                        missing.remove(time);
                    }
                }
            }
        }
        if missing.is_empty() {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    tracing::warn!(missing = missing.len(), "windows have no results yet");
    Ok(false)
}
