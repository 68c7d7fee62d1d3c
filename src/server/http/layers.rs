//! What happens around every request: counting, tracing, CORS, compression.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header, request},
    middleware::{self, Next},
    response::Response,
};
use prometheus::{HistogramVec, IntCounterVec, Registry};
use tower_http::{
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate as _},
    },
    cors::{AllowOrigin, CorsLayer},
    trace::TraceLayer,
};

use crate::server::{
    metrics::{counter, histogram},
    problem::Problem,
    results,
};

/// Puts the layers around routes. `origins` are the origins whose pages may use the server.
pub(super) fn around(routes: Router, origins: &[String], registry: &Registry) -> Router {
    // Wasm and the pose model change rarely and would cost much time to compress.
    let worthwhile = DefaultPredicate::new()
        .and(NotForContentType::const_new("application/wasm"))
        .and(NotForContentType::const_new("application/octet-stream"))
        // Video does not get smaller, and a part of it must stay the part that was asked for.
        .and(NotForContentType::const_new("video/"))
        .and(NotForContentType::const_new("application/zip"));
    let routes = routes.layer(CompressionLayer::new().compress_when(worthwhile));
    let routes = if origins.is_empty() { routes } else { routes.layer(cors(origins)) };
    let trace = TraceLayer::new_for_http()
        // A span does not hold the address: addresses hold ids and tokens.
        .make_span_with(
            |request: &Request| tracing::debug_span!("request", method = %request.method(), route = route(request)),
        )
        .on_failure(());
    routes
        // Each handler that takes a body limits it.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(one_host))
        .layer(trace)
        .layer(middleware::from_fn_with_state(Arc::new(Requests::new(registry)), count))
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins = origins.to_vec();
    let is_allowed = move |origin: &HeaderValue, _: &request::Parts| origins.iter().any(|allowed| origin == allowed);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_allowed))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_ENCODING,
            header::CONTENT_TYPE,
            HeaderName::from_static("last-event-id"),
        ])
        // What pages of other origins need of an answer: the name of a file, what it leaves out, when to ask again.
        .expose_headers([header::CONTENT_DISPOSITION, header::RETRY_AFTER, HeaderName::from_static(results::LEFT_OUT)])
        .max_age(Duration::from_mins(10))
}

/// Refuses requests with several hosts: a proxy before this server may have checked another one than this server does.
async fn one_host(request: Request, next: Next) -> Result<Response, Problem> {
    if request.headers().get_all(header::HOST).iter().count() > 1 {
        let problem = "the request has more than one Host header";
        return Err(Problem::new(StatusCode::BAD_REQUEST, problem, "send one Host header"));
    }
    Ok(next.run(request).await)
}

/// Metrics of requests.
struct Requests {
    /// Requests, by route and status.
    requests: IntCounterVec,
    /// How long requests took, by route.
    seconds: HistogramVec,
}

impl Requests {
    fn new(registry: &Registry) -> Self {
        Self {
            requests: counter(registry, "tidemill_http_requests_total", "Requests", &["route", "status"]),
            seconds: histogram(registry, "tidemill_http_seconds", "Duration of requests", &["route"]),
        }
    }
}

/// Counts requests by route, not by address.
async fn count(State(metrics): State<Arc<Requests>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = route(&request).to_owned();
    let response = next.run(request).await;
    metrics.requests.with_label_values(&[&route, response.status().as_str()]).inc();
    metrics.seconds.with_label_values(&[&route]).observe(started.elapsed().as_secs_f64());
    response
}

fn route(request: &Request) -> &str {
    request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str)
}
