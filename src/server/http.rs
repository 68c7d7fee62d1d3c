//! The server: routes, what their handlers share, and its life.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    sync::{Semaphore, watch},
    task::JoinHandle,
};

use super::{
    App, Engine, EngineError, Log, Settings,
    access::Access,
    erase, events, forward,
    hub::Hub,
    ingest,
    input::{Codecs, Input},
    inspect, metrics,
    metrics::Metrics,
    pages,
    pressure::Pressure,
    problem::Problem,
};
use crate::apps::http_client;

/// A running server. [`Server::close`] ends it in order.
pub struct Server {
    pub(super) engine: Arc<Engine>,
    pub(super) access: Access,
    pub(super) pressure: Arc<Pressure>,
    pub(super) hub: Arc<Hub>,
    /// How what comes in is written.
    pub(super) codecs: Codecs,
    pub(super) metrics: Metrics,
    pub(super) followers: Arc<Semaphore>,
    pub(super) closing: watch::Sender<bool>,
    /// Asks other instances.
    pub(super) http: reqwest::Client,
    address: SocketAddr,
    work: Mutex<Vec<JoinHandle<()>>>,
}

/// How long requests may take to end when the server closes.
const CLOSE: Duration = Duration::from_secs(5);

impl Server {
    /// Starts the applications, then listens.
    ///
    /// # Errors
    /// With all problems of the settings together; or if the address is taken.
    pub async fn start(settings: Settings) -> Result<Arc<Self>, Box<dyn std::error::Error + Send + Sync>> {
        Self::start_with(settings, |settings, address, runtime| Engine::start(settings, address, &runtime)).await
    }

    /// Starts the applications on a log that others use, too: instances that share work.
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
        let listener =
            TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
        let address = listener.local_addr()?;
        let engine = tokio::task::spawn_blocking(move || start(settings, address, runtime)).await??;
        let engine = Arc::new(engine);
        let pressure = Arc::new(Pressure::new(&engine));
        let server = Arc::new(Self {
            access: Access::new(engine.settings()),
            pressure: pressure.clone(),
            hub: Arc::new(Hub::new(&engine)),
            codecs: Codecs::new(engine.format()),
            metrics: Metrics::new(&engine),
            followers: Arc::new(Semaphore::new(engine.settings().limits.event_streams)),
            closing: watch::Sender::new(false),
            http: http_client(forward::PATIENCE)?,
            address,
            work: Mutex::default(),
            engine: engine.clone(),
        });
        let (hub, apps) = (server.hub.clone(), engine.settings().apps.clone());
        // A thread of its own: a runtime that shuts down would wait for it.
        std::thread::Builder::new().name("results".to_owned()).spawn(move || hub.follow(&apps))?;
        std::thread::Builder::new().name("lag".to_owned()).spawn(move || pressure.watch(&engine))?;
        let work = tokio::spawn(serve(server.clone(), listener));
        server.work.lock().unwrap_or_else(PoisonError::into_inner).push(work);
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it serves.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Ends pages and requests, then the applications: what is done is committed.
    ///
    /// # Errors
    /// As [`Engine::close`].
    pub async fn close(&self) -> Result<(), EngineError> {
        self.closing.send_replace(true);
        self.hub.close();
        self.pressure.close();
        let work = std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner));
        for rest in work {
            let abort = rest.abort_handle();
            if tokio::time::timeout(CLOSE, rest).await.is_err() {
                abort.abort();
            }
        }
        let engine = self.engine.clone();
        // A panic in closing has left its message; there is nothing more to close.
        tokio::task::spawn_blocking(move || engine.close()).await.unwrap_or(Ok(()))
    }

    /// Refuses what belongs to an application that does not run here.
    pub(super) fn running(&self, app: App) -> Result<(), Problem> {
        if self.engine.app(app).is_some() {
            return Ok(());
        }
        let what = format!("{} does not run here", app.id());
        Err(Problem::new(StatusCode::NOT_FOUND, what, format!("start `tidemill {}` or `tidemill serve`", app.id())))
    }

    /// How many partitions a topic has, which the log learned at the start.
    pub(super) fn partitions(&self, topic: &str) -> Result<i32, Problem> {
        self.engine.log().partitions(topic).map_err(|error| Problem::internal(&error))
    }
}

async fn serve(server: Arc<Server>, listener: TcpListener) {
    let mut closing = server.closing.subscribe();
    let app = routes(server);
    let closed = async move {
        // The sender lives as long as the server does.
        let _ = closing.wait_for(|closing| *closing).await;
    };
    if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(closed).await {
        tracing::error!(%error, "the server ended");
    }
}

fn routes(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", get(pages::home))
        .route("/live/{stream_id}", get(pages::live))
        .route("/coach/{user_id}", get(pages::coach))
        .route("/assets/{folder}/{file}", get(pages::asset))
        .route("/mediapipe/pose/{file}", get(pages::pose_model))
        .route(Input::Chat.path(), post(ingest::chat))
        .route(Input::Transcript.path(), post(ingest::transcript))
        .route(Input::Pose.path(), post(ingest::pose))
        .route("/v1/streams", get(inspect::streams))
        .route("/v1/streams/{id}", delete(erase::stream))
        .route("/v1/streams/{id}/events", get(events::stream))
        .route("/v1/users", get(inspect::users))
        .route("/v1/users/{id}", delete(erase::user))
        .route("/v1/users/{id}/profile", put(ingest::profile))
        .route("/v1/users/{id}/events", get(events::user))
        .route("/healthz", get(inspect::health))
        .route("/readyz", get(inspect::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/state", get(inspect::overview))
        .route("/state/tasks", get(inspect::tasks))
        .route("/state/stores", get(inspect::list_stores))
        .route("/state/stores/{name}/{key}", get(forward::key))
        .fallback(|| async {
            Problem::not_found("such address", "the README lists the addresses; GET / is the first page")
        })
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(server.clone(), around))
        .with_state(server)
}

/// Counts requests by route, never by address, and lets pages of allowed origins in.
async fn around(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("other", |path| path.as_str()).to_owned();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let origin = origin.filter(|origin| origin.to_str().is_ok_and(|origin| server.access.allows_origin(origin)));
    let preflight = request.method() == Method::OPTIONS && origin.is_some();
    let mut response = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        if preflight {
            let allow = HeaderValue::from_static("authorization, content-type, last-event-id");
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allow);
            let allow = HeaderValue::from_static("GET, POST, PUT, DELETE");
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
    let status = response.status();
    server.metrics.requests.with_label_values(&[&route, status.as_str()]).inc();
    server.metrics.seconds.with_label_values(&[&route]).observe(started.elapsed().as_secs_f64());
    response
}
