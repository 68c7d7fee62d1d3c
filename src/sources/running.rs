//! Starts and ends what runs the sources of an instance.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tidemill::transport::{Transport, TransportError};
use tokio::runtime::Handle;

use super::{
    GROUP, Gate, Guard, LiveSource, POSITIONS, Platforms, SOURCES, Speech, View, events::Records, owner, shared::Shared,
};
use crate::apps::Format;

/// How long the writers may take to finish.
const CLOSE: Duration = Duration::from_secs(5);

/// What the sources of an instance need.
pub struct Setup {
    /// The log.
    pub transport: Arc<dyn Transport>,
    /// The format of the applications' topics.
    pub format: Format,
    /// The platforms.
    pub platforms: Platforms,
    /// The addresses that connectors may open.
    pub guard: Guard,
    /// What listens to the streams; `None` if nothing does.
    pub speech: Option<Arc<Speech>>,
    /// The limit of what waits on the log.
    pub gate: Arc<dyn Gate>,
    /// The instance's name in member lists; generated if `None`.
    pub client_id: Option<String>,
    /// Where the connections run.
    pub runtime: Handle,
}

/// The running sources of an instance.
pub struct Running {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Running {
    /// Starts to run the sources that the group gives to this instance. The topics must exist; `partitions` tells their
    /// numbers of partitions.
    ///
    /// # Errors
    /// If a topic is missing, the log does not answer, or no thread can be started.
    pub fn start(
        setup: Setup,
        partitions: impl Fn(&str) -> Result<i32, TransportError>,
    ) -> Result<Self, TransportError> {
        let Setup { transport, format, platforms, guard, speech, gate, client_id, runtime } = setup;
        let view = Arc::new(View::new([partitions(SOURCES)?, partitions(POSITIONS)?]));
        let records = Arc::new(Records::new(&format, partitions)?);
        let shared = Arc::new(Shared { transport, platforms, guard, speech, gate, view, records });
        let client_id = client_id.unwrap_or_else(|| format!("{:08x}", RandomState::new().hash_one(GROUP) >> 32));
        let client_id = format!("{GROUP}-{client_id}");
        let (reading, joining) = (shared.clone(), shared.clone());
        let threads = [
            spawn("sources-view", move || reading.view.follow(&*reading.transport))?,
            spawn("sources", move || owner::run(&joining, &client_id, &runtime))?,
        ];
        Ok(Self { shared, threads: Mutex::new(threads.into()) })
    }

    /// All sources.
    pub fn view(&self) -> &View {
        &self.shared.view
    }

    /// The platforms.
    pub fn platforms(&self) -> &Platforms {
        &self.shared.platforms
    }

    /// Whether this server listens to a source, or tells why it cannot.
    pub fn listens(&self, source: &LiveSource) -> bool {
        self.shared.listens(source)
    }

    /// The addresses that connectors may open.
    pub fn guard(&self) -> Guard {
        self.shared.guard
    }

    /// Stops the connections and leaves the group. Blocks; not to be called on a thread of the runtime.
    pub fn close(&self) {
        self.shared.view.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A panic has already printed its message.
            drop(thread.join());
        }
        // Each writer has a share of what is shared.
        let started = Instant::now();
        while Arc::strong_count(&self.shared) > 1 && started.elapsed() < CLOSE {
            thread::park_timeout(Duration::from_millis(10));
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, TransportError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|error| TransportError::Invalid(format!("cannot start the thread {name}: {error}").into()))
}
