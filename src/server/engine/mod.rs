//! The log, the applications on it, and their call executors: started together, closed in order.

mod running;
mod schemas;
mod topics;

pub(in crate::server) use running::{NotRunning, RunningApp};

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tidemill::{CallPolicy, RecordHandler, Streams, StreamsConfig, StreamsState};
use tokio::runtime::Handle;

use super::{
    data_folder::DataFolder,
    error::EngineError,
    log::Log,
    settings::{AnalystChoice, Settings},
    wait::wait_for,
};
use crate::{
    apps::{App, Format, Host},
    sources,
};

/// Running applications and their log.
pub struct Engine {
    log: Log,
    apps: Vec<RunningApp>,
    settings: Settings,
    format: Format,
}

/// How long running calls may take to finish when the server closes. A call that is cut off is paid again.
const CALL_GRACE: Duration = Duration::from_secs(10);
/// How long the last commits may take.
const COMMIT_GRACE: Duration = Duration::from_secs(9);

impl Engine {
    /// Opens the log and starts the applications of a server that listens on `address`. Analysts' calls run on
    /// `runtime`.
    ///
    /// # Errors
    /// If the settings or schemas have problems, the log cannot be opened or denies rights, or a topology does not
    /// start. Problems of the same kind are returned together.
    pub fn start(settings: Settings, address: SocketAddr, runtime: &Handle) -> Result<Self, EngineError> {
        check(&settings)?;
        if let Some(folder) = settings.data_dir.as_deref().map(DataFolder::new) {
            folder.claim()?;
            if settings.kafka.is_none() {
                folder.check_log()?;
            }
        }
        let log = Log::open(&settings)?;
        Self::start_on(settings, log, address, runtime)
    }

    /// Like [`Engine::start`], on an open log that other instances may use, too. Other instances find this one at
    /// `address`, unless the settings advertise another address.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_on(settings: Settings, log: Log, address: SocketAddr, runtime: &Handle) -> Result<Self, EngineError> {
        check(&settings)?;
        // Schemas are prepared before any thread runs: then no record waits for a schema that was already registered.
        let format = schemas::prepare(&settings).map_err(EngineError::Schemas)?;
        // An unspecified address, such as 0.0.0.0, is of no use to other instances.
        let listening = (!address.ip().is_unspecified()).then(|| address.to_string());
        let address = settings.advertised.clone().or(listening);
        let mut engine = Self { log, apps: Vec::new(), settings, format };
        let apps = engine.settings.apps.clone();
        let mut refused = Vec::new();
        for app in apps.iter().copied() {
            refused.extend(topics::create(&engine.log, app, &engine.settings)?);
            refused.extend(engine.log.check_groups(&app.groups())?);
        }
        if engine.settings.runs_sources() {
            refused.extend(topics::create_all(&engine.log, sources::topics(engine.settings.partitions))?);
            refused.extend(engine.log.check_groups(&[sources::GROUP.to_owned()])?);
        }
        if !refused.is_empty() {
            return Err(EngineError::Refused(refused));
        }
        for app in apps {
            let running = engine.start_app(app, address.clone(), runtime)?;
            engine.apps.push(running);
        }
        Ok(engine)
    }

    fn start_app(&self, app: App, address: Option<String>, runtime: &Handle) -> Result<RunningApp, EngineError> {
        let mut config = StreamsConfig::new(app.id);
        config.client_id.clone_from(&self.settings.client_id);
        config.group_instance_id.clone_from(&self.settings.instance_id);
        config.processing_guarantee = self.settings.guarantee;
        config.commit_interval = self.settings.commit_interval;
        config.num_stream_threads = self.settings.threads;
        config.application_server = address;
        config.num_standby_replicas = self.settings.standby_replicas;
        config.state_dir = self.settings.data_dir.as_deref().map(state_dir);
        config.store_memory_bytes = self.settings.store_memory_bytes();
        let dead_letters = RecordHandler::DeadLetter(app.dead_letters.to_owned());
        config.deserialization_handler = dead_letters.clone();
        config.processing_handler = dead_letters;
        let keeps_calls = !self.settings.keep_calls.is_zero();
        config.keep_responses = keeps_calls;
        let topology = (app.topology)(&self.settings.windows(app), &self.format)?;
        let streams = Streams::start(&topology, config, self.log.transport())?;
        let models = match &self.settings.analyst {
            AnalystChoice::Offline => None,
            AnalystChoice::Model(settings) => Some(settings.clone()),
        };
        let host = Host {
            app,
            format: self.format.clone(),
            models,
            prompt: self.settings.prompts.get(app.id).cloned().flatten(),
            windows: self.settings.windows(app),
            tenant_of: self.settings.tenant_of(app),
            log: self.log.transport(),
            policy: CallPolicy { purge_requests: !keeps_calls, ..self.settings.calls.clone() },
            runtime: runtime.clone(),
        };
        let executor = app.calls.as_ref().map(|calls| (calls.start)(host)).transpose()?;
        Ok(RunningApp { app, streams, topology, executor: Mutex::new(executor) })
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The settings of the start.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The format of the applications' topics.
    pub fn format(&self) -> &Format {
        &self.format
    }

    pub(in crate::server) fn apps(&self) -> &[RunningApp] {
        &self.apps
    }

    pub(in crate::server) fn app(&self, app: App) -> Result<&RunningApp, NotRunning> {
        self.apps.iter().find(|running| running.app == app).ok_or(NotRunning(app))
    }

    /// Whether an application ended without a call of [`Engine::close`].
    pub fn has_failed(&self) -> bool {
        self.apps.iter().any(|app| matches!(app.streams.state(), StreamsState::Error | StreamsState::NotRunning))
    }

    /// Waits for running calls, commits finished work, and closes the stores. Waits up to ten seconds for the calls and
    /// nine for the commits; longer only if the log does not accept the last responses.
    ///
    /// # Errors
    /// [`EngineError::Unclosed`] if an application did not commit all its work. The next start repeats that work.
    pub fn close(&self) -> Result<(), EngineError> {
        std::thread::scope(|scope| {
            for app in &self.apps {
                scope.spawn(|| {
                    let executor = app.executor.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(executor) = executor {
                        executor.close(CALL_GRACE);
                    }
                    app.streams.stop();
                });
            }
        });
        let closing = |app: &RunningApp| matches!(app.streams.state(), StreamsState::PendingShutdown);
        let closed = || (!self.apps.iter().any(closing)).then_some(());
        wait_for(COMMIT_GRACE, Duration::from_millis(10), closed);
        let unclosed = self.apps.iter().filter(|app| app.streams.state() != StreamsState::NotRunning);
        match unclosed.map(|app| app.app.id).collect::<Vec<_>>() {
            none if none.is_empty() => Ok(()),
            some => Err(EngineError::Unclosed(some.join(" and "))),
        }
    }
}

fn state_dir(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("state")
}

fn check(settings: &Settings) -> Result<(), EngineError> {
    let problems = settings.problems();
    if problems.is_empty() { Ok(()) } else { Err(EngineError::Settings(problems)) }
}
