//! Live sources over HTTP: start, list, pause, resume, stop, erase.

mod ask;
mod change;
mod follow;
mod gate;
mod shown;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::http::StatusCode;
use bytes::Bytes;
use tidemill::{
    Clock as _, SystemClock, partition_for,
    transport::{Headers, ProducerRecord, TransportError},
};
use tokio::{runtime::Handle, sync::Mutex};

use super::{access::Visitor, engine::Engine, intake::Intake, problem::Problem};
use crate::{
    apps::App,
    sources::{Guard, LiveSource, Platforms, Running, SOURCES, Seen, Setup, Speech, SpeechState, View},
};

use gate::Limit;

pub(super) use ask::start;
pub(super) use change::{change, one};

/// How long an owner may take to confirm something, and this instance to read what it wrote.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for an owner that may not be there.
const OWNER: Duration = Duration::from_secs(3);

/// The sources as clients see them.
pub(super) struct Sources {
    engine: Arc<Engine>,
    intake: Arc<Intake>,
    /// The application whose owners are the streams.
    app: App,
    /// `None` if this server runs no sources.
    running: Option<Running>,
    /// One request changes a source at a time.
    changing: Mutex<()>,
}

impl Sources {
    /// Starts the sources, if the settings want them.
    pub(super) fn start(engine: Arc<Engine>, intake: Arc<Intake>, runtime: Handle) -> Result<Self, TransportError> {
        let settings = engine.settings();
        let app = settings.known().into_iter().find(|app| app.reads_streams);
        let app = app.ok_or_else(|| TransportError::Invalid("no application reads streams".into()))?;
        let running = settings.runs_sources().then(|| {
            let wanted = &settings.sources;
            let speech = {
                let _here = runtime.enter();
                Speech::open(&wanted.speech, wanted.guard)
            };
            let speech = speech.map_err(|error| TransportError::Invalid(format!("sources.speech: {error}").into()))?;
            let setup = Setup {
                transport: engine.log().transport(),
                format: engine.format().clone(),
                platforms: wanted.platforms.clone().unwrap_or_else(|| Platforms::known(&wanted.keys, wanted.guard)),
                guard: wanted.guard,
                speech: Some(Arc::new(speech)),
                gate: Arc::new(Limit { intake: intake.clone(), app }),
                client_id: settings.client_id.clone(),
                runtime,
            };
            Running::start(setup, |topic| engine.log().partitions(topic))
        });
        Ok(Self { running: running.transpose()?, app, engine, intake, changing: Mutex::default() })
    }

    /// Stops the connections and leaves the group. Blocks.
    pub(super) fn close(&self) {
        if let Some(running) = &self.running {
            running.close();
        }
    }

    /// The running sources.
    fn running(&self) -> Result<&Running, Problem> {
        self.engine.app(self.app)?;
        let running = self.running.as_ref().ok_or_else(|| {
            Problem::not_found("way to read streams on this server", "set sources.enabled to true and start it again")
        })?;
        self.is_known()?;
        Ok(running)
    }

    /// Whether it is known what is read here. Without sources, nothing is read.
    fn is_known(&self) -> Result<(), Problem> {
        self.engine.app(self.app)?;
        if self.running.as_ref().is_none_or(|running| running.view().is_ready()) {
            return Ok(());
        }
        Err(Problem::unavailable("the sources are still being read", "send it again after Retry-After", 1))
    }

    /// The sources of an application that a visitor may see, as JSON, by the ids of their owners.
    pub(super) fn shown(&self, app: App, visitor: &Visitor) -> Vec<(String, serde_json::Value)> {
        let Some(running) = self.running.as_ref().filter(|_| app == self.app) else {
            return Vec::new();
        };
        let all = running.view().all().into_iter().filter(|(id, _)| visitor.sees(app, id));
        all.map(|(id, seen)| (id, shown::source(running, &seen))).collect()
    }

    /// The application whose owners are the streams.
    pub(super) fn app(&self) -> App {
        self.app
    }

    /// The source of a stream. Without one, there is nothing to read and nothing to cut.
    pub(super) fn seen(&self, id: &str) -> Result<Seen, Problem> {
        self.running()?.view().get(id).ok_or_else(change::unknown)
    }

    /// Whether a stream has ended or was stopped; `None` if it has no source, or nobody knows yet.
    pub(super) fn has_ended(&self, id: &str) -> Option<bool> {
        let view = self.running.as_ref()?.view();
        view.get(id).filter(|_| view.is_ready()).as_ref().map(shown::has_ended)
    }

    /// The addresses that connectors may open.
    pub(super) fn guard(&self) -> Guard {
        self.engine.settings().sources.guard
    }

    /// The streams whose sources were erased since the last call, on any instance, each with the time of it.
    pub(super) fn take_erased(&self) -> BTreeMap<String, i64> {
        self.running.as_ref().map(|running| running.view().take_erased()).unwrap_or_default()
    }

    /// Waits until what was said up to an event time is written, for so long at most. A stream that is not heard is not
    /// waited for.
    pub(super) async fn until_heard(&self, id: &str, end_ms: i64, patience: Duration) {
        let Some(running) = &self.running else { return };
        let is_heard = |view: &View| {
            let speech = view.get(id).and_then(|seen| seen.progress).and_then(|progress| progress.speech);
            let listens = speech.as_ref().is_some_and(|speech| matches!(speech.state, SpeechState::Listening { .. }));
            !listens || speech.is_some_and(|speech| speech.position_ms.is_some_and(|position| position >= end_ms))
        };
        running.view().until(patience, is_heard).await;
    }

    /// Writes a source, or erases it, and waits until this instance has read it.
    async fn put(&self, running: &Running, id: &str, source: Option<&LiveSource>) -> Result<(), Problem> {
        let log = self.engine.log();
        let partitions = log.partitions(SOURCES).map_err(|error| Problem::internal(&error))?;
        let value = source.map(serde_json::to_vec).transpose().map_err(|error| Problem::internal(&error))?;
        let record = ProducerRecord {
            topic: SOURCES.into(),
            partition: partition_for(Some(id.as_bytes()), partitions),
            timestamp: SystemClock.now_ms(),
            key: Some(id.to_owned().into()),
            value: value.map(Bytes::from),
            headers: Headers::new(),
        };
        log.write(vec![record]).await.map_err(|error| Problem::not_written(&error))?;
        let wanted = source.cloned();
        let is_there = running.view().until(PATIENCE, |view| view.get(id).map(|seen| seen.source) == wanted).await;
        if is_there {
            return Ok(());
        }
        tracing::warn!(stream = %id, "a source that was written cannot be read yet");
        Ok(())
    }

    /// Erases the source of an owner, and waits until its connection has stopped. Without a source, nothing happens.
    pub(super) async fn forget(&self, app: App, id: &str) -> Result<(), Problem> {
        let Some(running) = self.running.as_ref().filter(|_| app == self.app) else {
            return Ok(());
        };
        let view = running.view();
        if view.get(id).is_none() && !view.has_progress(id) {
            return Ok(());
        }
        let _changing = self.changing.lock().await;
        if view.get(id).is_none() && !view.has_progress(id) {
            // Another request has erased it meanwhile.
            return Ok(());
        }
        // An owner that just takes the source is waited for: what it writes would come after the erasure.
        view.until(OWNER, |view| view.has_progress(id)).await;
        self.put(running, id, None).await?;
        if view.until(PATIENCE, |view| !view.has_progress(id)).await {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the connection of this stream did not stop in time",
            "send it again: erasing twice does no harm",
        ))
    }
}

/// A run that is later than the last one.
fn next_run(last: Option<&Seen>) -> i64 {
    last.map_or(0, |seen| seen.source.run + 1).max(SystemClock.now_ms())
}
