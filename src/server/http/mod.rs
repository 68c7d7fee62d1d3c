//! Starts the server, serves requests, and closes it.

mod routes;
mod shared;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{net::TcpListener, runtime::Handle, task::JoinHandle};

use self::routes::routes;
pub(in crate::server) use self::shared::Shared;
use crate::{
    apps::http_client,
    server::{engine::Engine, error::EngineError, log::Log, settings::Settings, state},
};

/// A running server. [`Server::close`] ends it properly.
pub struct Server {
    pub(in crate::server) shared: Arc<Shared>,
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
        let shared = Arc::new(Shared::new(Arc::new(engine), http_client(state::PATIENCE)?));
        let (hub, pressure, engine) = (shared.hub.clone(), shared.pressure.clone(), shared.engine.clone());
        // The hub blocks, so it has its own thread: the runtime would wait for a blocking task when it shuts down.
        let follow = move || hub.follow(&engine.settings().apps);
        std::thread::Builder::new().name("results".to_owned()).spawn(follow)?;
        let engine = shared.engine.clone();
        std::thread::Builder::new().name("lag".to_owned()).spawn(move || pressure.watch(&engine))?;
        let work = tokio::spawn(serve(shared.clone(), listener));
        Ok(Arc::new(Self { shared, address, work: Mutex::new(vec![work]) }))
    }

    /// The address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The engine with the applications.
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Ends event streams and requests, then closes the applications, which commit their finished work.
    ///
    /// # Errors
    /// As [`Engine::close`].
    pub async fn close(&self) -> Result<(), EngineError> {
        self.shared.closing.send_replace(true);
        self.shared.hub.close();
        self.shared.pressure.close();
        let work = std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner));
        for rest in work {
            let abort = rest.abort_handle();
            if tokio::time::timeout(CLOSE, rest).await.is_err() {
                abort.abort();
            }
        }
        let engine = self.shared.engine.clone();
        // A panic while closing has already printed its message. Nothing more can be closed.
        tokio::task::spawn_blocking(move || engine.close()).await.unwrap_or(Ok(()))
    }
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

async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let mut closing = shared.closing.subscribe();
    let app = routes(shared);
    let closed = async move {
        // The sender lives as long as the server.
        let _ = closing.wait_for(|closing| *closing).await;
    };
    if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(closed).await {
        tracing::error!(%error, "the server ended");
    }
}
