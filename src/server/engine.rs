//! The log, the applications on it, and the executors beside them: started together, closed in order.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus::{HistogramOpts, HistogramVec};
use tidemill::{
    CallExecutorHandle, CallStats, RecordHandler, StoreKind, Streams, StreamsConfig, StreamsState, Topology,
};
use tokio::runtime::Handle;

use super::{
    error::EngineError,
    log::Log,
    schemas,
    settings::{AnalystChoice, Settings},
    topics,
};
use crate::apps::{App, Format, Host, gemini::Gemini};

/// Applications that run.
pub struct Engine {
    log: Log,
    apps: Vec<RunningApp>,
    settings: Settings,
    format: Format,
    /// How long attempts took, by analyst and outcome.
    pub(super) call_seconds: HistogramVec,
}

/// One application with its executor, if it calls an analyst.
pub(super) struct RunningApp {
    pub(super) app: App,
    pub(super) streams: Streams,
    pub(super) topology: Topology,
    executor: Mutex<Option<CallExecutorHandle>>,
}

impl RunningApp {
    pub(super) fn calls(&self) -> CallStats {
        let executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        executor.as_ref().map_or_else(CallStats::default, CallExecutorHandle::stats)
    }

    /// Stores whose keys are ids, by name.
    pub(super) fn stores(&self) -> BTreeMap<String, StoreKind> {
        let is_own = |name: &str| ["-pending", "-times"].iter().any(|kind| name.ends_with(kind));
        let specs = self.topology.stores().filter(|store| !is_own(&store.name));
        specs.map(|store| (store.name.to_string(), store.kind)).collect()
    }
}

/// How long running calls may take to end when the server closes.
const CALL_GRACE: Duration = Duration::from_secs(3);

impl Engine {
    /// Opens the log and starts the applications of a server that listens on `address`. Analysts' calls run on
    /// `runtime`.
    ///
    /// # Errors
    /// With all problems of the settings together, or all that the log refuses, or the first of the topologies.
    pub fn start(settings: Settings, address: SocketAddr, runtime: &Handle) -> Result<Self, EngineError> {
        check(&settings)?;
        let log = Log::open(&settings)?;
        Self::start_on(settings, log, address, runtime)
    }

    /// The same on a log that is open, and that other instances may use, too. They find this one at `address`, unless
    /// the settings advertise another.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_on(settings: Settings, log: Log, address: SocketAddr, runtime: &Handle) -> Result<Self, EngineError> {
        check(&settings)?;
        // Before any thread runs: from here on no record waits for a schema that was known when it was written.
        let format = schemas::prepare(&settings).map_err(EngineError::Schemas)?;
        // Behind an address for all networks there is none that others could use.
        let listening = (!address.ip().is_unspecified()).then(|| address.to_string());
        let address = settings.advertised.clone().or(listening);
        let call_seconds = call_seconds();
        let mut engine = Self { log, apps: Vec::new(), settings, format, call_seconds };
        let apps = engine.settings.apps.clone();
        let mut refused = Vec::new();
        for app in apps.iter().copied() {
            refused.extend(topics::create(&engine.log, app, &engine.settings)?);
            refused.extend(engine.log.check_groups(&app.groups())?);
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
        config.deserialization_handler = RecordHandler::DeadLetter(app.dead_letters.to_owned());
        let topology = (app.topology)(&self.settings.windows(app), &self.format)?;
        let streams = Streams::start(&topology, config, self.log.transport())?;
        let model = match &self.settings.analyst {
            AnalystChoice::Offline => None,
            AnalystChoice::Gemini(settings) => Some(Gemini::new(settings.clone())?),
        };
        let host = Host {
            application: app.id,
            model,
            log: self.log.transport(),
            policy: self.settings.calls.clone(),
            runtime: runtime.clone(),
            seconds: self.call_seconds.clone(),
        };
        let executor = app.calls.as_ref().map(|calls| (calls.start)(host)).transpose()?;
        Ok(RunningApp { app, streams, topology, executor: Mutex::new(executor) })
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What it was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The format of the applications' topics.
    pub fn format(&self) -> &Format {
        &self.format
    }

    pub(super) fn apps(&self) -> &[RunningApp] {
        &self.apps
    }

    pub(super) fn app(&self, app: App) -> Option<&RunningApp> {
        self.apps.iter().find(|running| running.app == app)
    }

    /// Whether an application ended by itself.
    pub fn has_failed(&self) -> bool {
        self.apps.iter().any(|app| matches!(app.streams.state(), StreamsState::Error | StreamsState::NotRunning))
    }

    /// Lets calls end, commits what is done, and closes the stores. Waits some seconds for that; longer only for a log
    /// that does not take the calls' last answers.
    ///
    /// # Errors
    /// [`EngineError::Unclosed`]: what was not committed is done again after the next start.
    pub fn close(&self) -> Result<(), EngineError> {
        for app in &self.apps {
            let executor = app.executor.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(executor) = executor {
                executor.close(CALL_GRACE);
            }
            app.streams.stop();
        }
        let started = Instant::now();
        let closing = |app: &RunningApp| matches!(app.streams.state(), StreamsState::PendingShutdown);
        while self.apps.iter().any(closing) && started.elapsed() < CALL_GRACE * 3 {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let unclosed = self.apps.iter().filter(|app| app.streams.state() != StreamsState::NotRunning);
        match unclosed.map(|app| app.app.id).collect::<Vec<_>>() {
            none if none.is_empty() => Ok(()),
            some => Err(EngineError::Unclosed(some.join(" and "))),
        }
    }
}

/// How long analysts' attempts took.
fn call_seconds() -> HistogramVec {
    let options = HistogramOpts::new("tidemill_call_seconds", "Duration of analysts' attempts")
        .buckets(vec![0.001, 0.01, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
    HistogramVec::new(options, &["analyst", "outcome"]).expect("names and labels are valid")
}

fn state_dir(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("state")
}

fn check(settings: &Settings) -> Result<(), EngineError> {
    let problems = settings.problems();
    if problems.is_empty() { Ok(()) } else { Err(EngineError::Settings(problems)) }
}
