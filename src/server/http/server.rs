//! Starts the server and closes it.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus::Registry;
use tidemill::transport::TransportError;
use tokio::{net::TcpListener, runtime::Handle, sync::watch, task::JoinHandle};

use super::{
    connections::serve,
    layers::around,
    routes::{Parts, routes},
};
use crate::{
    apps::http_client,
    server::{
        access::Access,
        clips::{Clipping, Needs},
        dead_letters::DeadLetters,
        engine::Engine,
        erase::Eraser,
        error::EngineError,
        health::Health,
        intake::{Feed, Intake, Pressure},
        journal::Journal,
        late::Late,
        log::Log,
        pages::Pages,
        results::{Hub, Results, Views},
        scrub::Scrubber,
        settings::Settings,
        socket::Sockets,
        sources::Sources,
        state::{self, Inspector},
    },
};

/// A running server. [`Server::close`] ends it properly.
pub struct Server {
    engine: Arc<Engine>,
    hub: Arc<Hub>,
    pressure: Arc<Pressure>,
    scrubber: Arc<Scrubber>,
    journal: Arc<Journal>,
    intake: Arc<Intake>,
    sources: Arc<Sources>,
    clips: Arc<Clipping>,
    closing: watch::Sender<bool>,
    address: SocketAddr,
    work: Mutex<Vec<JoinHandle<()>>>,
}

/// How long requests may take to finish when the server closes.
const CLOSE: Duration = Duration::from_secs(5);

impl Server {
    /// Starts the applications, then listens.
    ///
    /// # Errors
    /// As [`Engine::start`]; also if the address cannot be listened on, or a thread or the HTTP client cannot be made.
    pub async fn start(settings: Settings) -> Result<Arc<Self>, Box<dyn std::error::Error + Send + Sync>> {
        Self::start_with(settings, |settings, address, runtime| Engine::start(settings, address, &runtime)).await
    }

    /// Starts the applications on a log that other instances may use, too. Instances on the same log share the work.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_on(settings: Settings, log: Log) -> Result<Arc<Self>, Box<dyn std::error::Error + Send + Sync>> {
        Self::start_with(settings, |settings, address, runtime| Engine::start_on(settings, log, address, &runtime))
            .await
    }

    async fn start_with(
        settings: Settings,
        start: impl FnOnce(Settings, SocketAddr, Handle) -> Result<Engine, EngineError> + Send + 'static,
    ) -> Result<Arc<Self>, Box<dyn std::error::Error + Send + Sync>> {
        let runtime = Handle::current();
        let listen = settings.listen;
        let listener = TcpListener::bind(listen).await.map_err(|error| not_listening(listen, &error))?;
        let address = listener.local_addr()?;
        let engine = tokio::task::spawn_blocking(move || start(settings, address, runtime)).await??;
        let engine = Arc::new(engine);
        let late = Arc::new(Late::default());
        let (hub, pressure) = (Arc::new(Hub::new(&engine, late.clone())), Arc::new(Pressure::new(&engine)));
        let scrubber = Arc::new(Scrubber::default());
        let dead_letters = Arc::new(DeadLetters::new(engine.clone()));
        let journal = Arc::new(Journal::new(engine.clone()));
        let (registry, closing) = (Registry::new(), watch::Sender::new(false));
        let intake = Arc::new(Intake::new(engine.clone(), pressure.clone(), late.clone(), &registry));
        let http = http_client(state::PATIENCE)?;
        let sources = start_sources(engine.clone(), intake.clone()).await?;
        let results = Arc::new(Results::new(engine.clone(), hub.clone(), late, closing.subscribe()));
        let views = Arc::new(Views::new(engine.clone(), hub.clone()));
        let clips = start_clips(Needs {
            engine: engine.clone(),
            intake: intake.clone(),
            hub: hub.clone(),
            views: views.clone(),
            sources: sources.clone(),
        });
        let clips = clips.await?;
        let sockets = Arc::new(Sockets {
            results: results.clone(),
            views: views.clone(),
            sources: sources.clone(),
            clips: clips.clone(),
            origins: engine.settings().cors_origins.clone(),
            idle_timeout: engine.settings().limits.idle_timeout,
            closing: closing.subscribe(),
        });
        let parts = Parts {
            access: Access::new(engine.settings()),
            intake: intake.clone(),
            results,
            views,
            sockets,
            eraser: Eraser {
                engine: engine.clone(),
                hub: hub.clone(),
                scrubber: scrubber.clone(),
                dead_letters: dead_letters.clone(),
                sources: sources.clone(),
                clips: clips.clone(),
            },
            sources: sources.clone(),
            clips: clips.clone(),
            dead_letters,
            journal: journal.clone(),
            inspector: Arc::new(Inspector {
                engine: engine.clone(),
                pressure: pressure.clone(),
                http,
                sources: sources.clone(),
            }),
            health: Arc::new(Health::new(engine.clone(), pressure.clone(), registry.clone())),
            pages: Arc::new(Pages::new(engine.settings())),
        };
        let settings = engine.settings();
        let routes = around(routes(parts, settings.known()), &settings.cors_origins, &registry);
        // These block, so they have their own threads: the runtime would wait for a blocking task when it shuts down.
        let (results, of) = (hub.clone(), engine.clone());
        let follow = move || results.follow(&of.settings().apps);
        std::thread::Builder::new().name("results".to_owned()).spawn(follow)?;
        let (lag, of) = (pressure.clone(), engine.clone());
        std::thread::Builder::new().name("lag".to_owned()).spawn(move || lag.watch(&of))?;
        let (after_erasures, of) = (scrubber.clone(), engine.clone());
        std::thread::Builder::new().name("scrub".to_owned()).spawn(move || after_erasures.run(&of))?;
        let of_calls = journal.clone();
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || of_calls.run())?;
        let work = tokio::spawn(serve(listener, routes, engine.settings().limits.clone(), closing.subscribe()));
        let work = Mutex::new(vec![work]);
        Ok(Arc::new(Self { engine, hub, pressure, scrubber, journal, intake, sources, clips, closing, address, work }))
    }

    /// The address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The engine with the applications.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Opens a feed of recorded events. The log must have a player; see [`Feed::begin`]. An earlier player of the log is
    /// fenced and cannot write any more.
    ///
    /// # Errors
    /// If the log cannot be written.
    pub fn feed(&self) -> Result<Feed, TransportError> {
        Feed::open(self.intake.clone())
    }

    /// Ends event streams and requests, then closes the applications, which commit their finished work.
    ///
    /// # Errors
    /// As [`Engine::close`].
    pub async fn close(&self) -> Result<(), EngineError> {
        self.closing.send_replace(true);
        self.hub.close();
        self.pressure.close();
        self.scrubber.close();
        self.journal.close();
        let work = std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner));
        for rest in work {
            let abort = rest.abort_handle();
            if tokio::time::timeout(CLOSE, rest).await.is_err() {
                abort.abort();
            }
        }
        self.clips.close();
        let (engine, sources) = (self.engine.clone(), self.sources.clone());
        // A panic while closing has already printed its message. Nothing more can be closed.
        let closed = move || {
            sources.close();
            engine.close()
        };
        tokio::task::spawn_blocking(closed).await.unwrap_or(Ok(()))
    }
}

/// Starts the sources on a thread that may block.
async fn start_sources(
    engine: Arc<Engine>,
    intake: Arc<Intake>,
) -> Result<Arc<Sources>, Box<dyn std::error::Error + Send + Sync>> {
    let runtime = Handle::current();
    let started = tokio::task::spawn_blocking(move || Sources::start(engine, intake, runtime)).await?;
    Ok(Arc::new(started?))
}

/// Opens the folder of clips on a thread that may block.
async fn start_clips(needs: Needs) -> Result<Arc<Clipping>, tokio::task::JoinError> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || Clipping::start(needs, &runtime)).await
}

/// Why the server does not listen, and what to do.
fn not_listening(listen: SocketAddr, error: &io::Error) -> String {
    let fix = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there: end it, or choose another port with --listen",
        io::ErrorKind::PermissionDenied => "ports below 1024 need rights: choose a higher port with --listen",
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: choose 127.0.0.1 or 0.0.0.0 with --listen"
        }
        _ => "choose another address with --listen",
    };
    format!("cannot listen on {listen}: {error}; {fix}")
}
