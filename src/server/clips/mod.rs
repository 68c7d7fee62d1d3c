//! Clips of live streams over HTTP: ask for them, list, cancel, retry, delete, download.

mod all;
mod ask;
mod change;
mod file;
mod list;
mod problem;
mod tend;
mod words;

use std::sync::{Arc, Mutex, PoisonError};

use tidemill::{Clock as _, SystemClock};
use tokio::{runtime::Handle, sync::Semaphore, task::AbortHandle};

use super::{
    engine::Engine,
    intake::Intake,
    results::{Hub, Views},
    sources::Sources,
};
use crate::{
    apps::App,
    clips::{Desk, Opening},
    sources::Media,
};

use words::Reading;

pub(super) use all::all;
pub(super) use ask::{ask, wish};
pub(super) use change::{Change, change, remove};
pub(super) use file::{Packed, archive, file};
pub(super) use list::{list, one};

/// The view of an application that ranks moments of a stream, and the name of its address.
const CANDIDATES: &str = "clips/candidates";
/// The name of the news about clips, among the events of a stream.
pub(super) const NEWS: &str = "clip_progress";

/// The clips as clients see them.
pub(super) struct Clipping {
    engine: Arc<Engine>,
    intake: Arc<Intake>,
    hub: Arc<Hub>,
    views: Arc<Views>,
    sources: Arc<Sources>,
    /// The application whose owners are the streams.
    app: App,
    desk: Desk,
    archives: Arc<Semaphore>,
    work: Mutex<Vec<AbortHandle>>,
}

/// What clips need of the server.
pub(super) struct Needs {
    pub(super) engine: Arc<Engine>,
    pub(super) intake: Arc<Intake>,
    pub(super) hub: Arc<Hub>,
    pub(super) views: Arc<Views>,
    pub(super) sources: Arc<Sources>,
}

impl Clipping {
    /// Opens the folder of clips, and goes on with what was not finished. Blocks.
    pub(super) fn start(needs: Needs, runtime: &Handle) -> Arc<Self> {
        let Needs { engine, intake, hub, views, sources } = needs;
        let _here = runtime.enter();
        let app = sources.app();
        let reading = Reading { engine: engine.clone(), hub: hub.clone(), sources: sources.clone(), app };
        let settings = engine.settings();
        let speech = &settings.sources.speech;
        let desk = Desk::open(Opening {
            folder: settings.clips.place(settings.data_dir.as_deref()).filter(|_| settings.runs_sources()),
            settings: settings.clips.clone(),
            ffmpeg: None,
            media: Media::new(speech.cookies_file.as_deref(), settings.sources.guard),
            captions: Arc::new(reading).ask(),
            now_ms: Arc::new(|| SystemClock.now_ms()),
        });
        let archives = Arc::new(Semaphore::new(file::ARCHIVES));
        let clipping = Self { engine, intake, hub, views, sources, app, desk, archives, work: Mutex::default() };
        let clipping = Arc::new(clipping);
        let work = [tokio::spawn(tend::tell(clipping.clone())), tokio::spawn(tend::tend(clipping.clone()))];
        clipping.held().extend(work.map(|work| work.abort_handle()));
        clipping
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Vec<AbortHandle>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops all work on clips. It goes on when the folder is opened again.
    pub(super) fn close(&self) {
        self.held().drain(..).for_each(|work| work.abort());
        self.desk.close();
    }

    /// Cancels and deletes the clips of an owner on this instance. Other instances do it when they read that the source is
    /// erased.
    pub(super) fn forget(&self, app: App, id: &str) -> Result<usize, super::problem::Problem> {
        if app != self.app {
            return Ok(0);
        }
        Ok(self.desk.erase(id, None)?)
    }
}
