//! Runs applications until a signal or a failure.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use tidemill::transport::TransportError;
use tidemill_apps::{
    apps::WindowPlace,
    server::{EngineError, Feed, Server, Settings},
};
use tokio::runtime::Runtime;

use super::signals::Signals;

/// Runs the server until Ctrl-C, SIGTERM or a failure.
pub(crate) fn serve(settings: Settings) -> Result<()> {
    let in_folder = settings.data_dir.is_some() && settings.kafka.is_none();
    runtime()?.block_on(async {
        let server = start(settings).await?;
        if in_folder {
            // A demo empties its own folder. This one now has a server's events, too: a demo must refuse it.
            Feed::end(&*server.engine().log().transport()).context("the folder cannot be taken over from a demo")?;
        }
        // Whoever reads that it listens may stop it.
        let mut signals = Signals::listen()?;
        announce(&server);
        let ended = until_stopped(&server, &mut signals).await;
        ended.and(close(&server, signals).await)
    })
}

/// A signal that comes this soon after another one is the same wish: a terminal and a supervisor both send it, and some
/// send it twice.
const SAME_WISH: Duration = Duration::from_secs(1);

/// Closes the server. A later signal ends the program at once. Nothing is lost by that: accepted events are on the log
/// before they are answered, and the next start repeats the work that was not committed.
pub(super) async fn close(server: &Server, mut signals: Signals) -> Result<()> {
    tokio::spawn(async move {
        let _ = tokio::time::timeout(SAME_WISH, async { while signals.received().await.is_ok() {} }).await;
        if signals.received().await.is_ok() {
            tracing::warn!(
                "ended before all work was committed: no accepted event is lost; the next start repeats the \
                 uncommitted work"
            );
            std::process::exit(INTERRUPTED);
        }
    });
    server.close().await?;
    tracing::info!("closed");
    Ok(())
}

/// The exit code that shells report for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

pub(super) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}

pub(super) async fn start(settings: Settings) -> Result<Arc<Server>> {
    let folder = settings.data_dir.clone().filter(|_| settings.kafka.is_none());
    let advice = windows_advice(&settings);
    // The kind of the error decides the exit code.
    let started = Server::start(settings).await.map_err(|error| match error.downcast::<EngineError>() {
        Ok(error) => Error::from(*error),
        Err(error) => anyhow!(error),
    });
    let started = started.map_err(|error| with_windows(error, &advice));
    match folder {
        Some(folder) => started.map_err(|error| with_remedy(error, &folder)),
        None => started,
    }
}

/// Adds the command that deletes a log, if it is the log's files that cannot be used.
fn with_remedy(error: Error, folder: &Path) -> Error {
    let is_storage = |cause: &(dyn std::error::Error + 'static)| {
        matches!(cause.downcast_ref(), Some(EngineError::Log(TransportError::Storage(_))))
    };
    if !error.chain().any(is_storage) {
        return error;
    }
    // The storage's own error tells its causes.
    let told: Vec<_> = error.chain().take(2).map(ToString::to_string).collect();
    let remedy = format!("`tidemill reset --data-dir {} --yes` deletes log and state", folder.display());
    anyhow!("{}; if the log is damaged, {remedy}", told.join(": "))
}

/// What to do if the stores were written with other windows.
fn windows_advice(settings: &Settings) -> String {
    let windows = settings.apps.iter().flat_map(|app| app.window_settings);
    let windows = windows.filter(|setting| match setting.place {
        WindowPlace::Length(_) => setting.name.ends_with(".window"),
        WindowPlace::Ends(_) => true,
    });
    let windows: Vec<_> = windows.map(|setting| setting.name).collect();
    let brokers = settings.kafka.as_ref().map(|kafka| format!(" --brokers {}", kafka.bootstrap_servers));
    let folder = settings.data_dir.as_ref().map(|folder| format!(" --data-dir {}", folder.display()));
    let deleted = if brokers.is_some() { "internal topics and state" } else { "log and state" };
    let places = [brokers, folder].map(Option::unwrap_or_default).concat();
    let windows = match windows.as_slice() {
        [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        _ => windows.concat(),
    };
    format!(
        "if {windows} was changed, set it back; to keep the change, delete {deleted} with `tidemill reset{places} --yes`"
    )
}

/// Adds what to do if the stores were written with other windows. The engine's own advice is for programmers.
fn with_windows(error: Error, advice: &str) -> Error {
    let is_of_store = |problem: &String| problem.contains("was written by another topology");
    match error.downcast_ref() {
        Some(EngineError::Topology(topology)) if topology.problems().iter().any(is_of_store) => {
            anyhow!("{error}\n{advice}")
        }
        _ => error,
    }
}

pub(super) fn announce(server: &Server) {
    let (settings, address) = (server.engine().settings(), server.address());
    let kept = settings.data_dir.as_ref().map_or("in memory".to_owned(), |folder| format!("in {}", folder.display()));
    match &settings.kafka {
        None => tracing::info!("listening on http://{address}, log and state {kept}"),
        Some(kafka) => {
            tracing::info!("listening on http://{address}, log on Kafka at {}, state {kept}", kafka.bootstrap_servers);
        }
    }
    for app in &settings.apps {
        let (id, section, owner) = (app.id, app.section, app.owner.word);
        tracing::info!("{id} runs; its page is http://{address}/{section}/<{owner} id>");
    }
}

/// How often the program checks whether the applications still run.
const WATCH: Duration = Duration::from_millis(500);

pub(super) async fn until_stopped(server: &Server, signals: &mut Signals) -> Result<()> {
    let failed = async {
        loop {
            tokio::time::sleep(WATCH).await;
            if server.engine().has_failed() {
                return;
            }
        }
    };
    tokio::select! {
        signal = signals.received() => {
            tracing::info!(
                "stopping: finished work is being committed; another signal, after a second or more, ends the program \
                 at once"
            );
            signal
        }
        () = failed => bail!("an application ended unexpectedly; the log above says why"),
    }
}
