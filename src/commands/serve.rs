//! Runs applications until told to stop.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow, bail};
use tidemill_apps::server::{Server, Settings};
use tokio::runtime::Runtime;

/// Runs the server until Ctrl-C, a polite kill, or a failure.
pub(crate) fn serve(settings: Settings) -> Result<()> {
    runtime()?.block_on(async {
        let server = start(settings).await?;
        announce(&server);
        let ended = until_stopped(&server).await;
        ended.and(close(&server).await)
    })
}

/// Ends what runs; a second signal ends the program at once.
pub(super) async fn close(server: &Server) -> Result<()> {
    tokio::spawn(async {
        if stop_signal().await.is_ok() {
            tracing::warn!("ended before everything was committed: what was not is done again after the next start");
            std::process::exit(INTERRUPTED);
        }
    });
    server.close().await?;
    tracing::info!("closed");
    Ok(())
}

/// What shells say of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

pub(super) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}

pub(super) async fn start(settings: Settings) -> Result<Arc<Server>> {
    Server::start(settings).await.map_err(|error| anyhow!(error))
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

/// How often a server is asked whether its applications still run.
const WATCH: Duration = Duration::from_millis(500);

pub(super) async fn until_stopped(server: &Server) -> Result<()> {
    let failed = async {
        loop {
            tokio::time::sleep(WATCH).await;
            if server.engine().has_failed() {
                return;
            }
        }
    };
    tokio::select! {
        signal = stop_signal() => {
            tracing::info!("stopping: committing what is done; once more ends it at once");
            signal
        }
        () = failed => bail!("an application ended by itself; the log above tells why"),
    }
}

#[cfg(unix)]
async fn stop_signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be heard")?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.context("Ctrl-C cannot be heard")?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn stop_signal() -> Result<()> {
    tokio::signal::ctrl_c().await.context("Ctrl-C cannot be heard")?;
    Ok(())
}
