//! The addresses of the server and of each application.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, MatchedPath, Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};

use super::Shared;
use crate::{
    apps::App,
    server::{
        access::Visitor,
        erase,
        intake::{self, Request as Sent},
        pages,
        problem::Problem,
        results, state,
    },
};

pub(super) fn routes(shared: Arc<Shared>) -> Router {
    let apps = shared.engine.settings().known();
    let server = Router::new()
        .route("/", get(pages::home))
        .route("/assets/{folder}/{file}", get(pages::asset))
        .route("/mediapipe/pose/{file}", get(pages::pose_model))
        .route("/healthz", get(state::health))
        .route("/readyz", get(state::ready))
        .route("/metrics", get(state::metrics))
        .route("/state", get(state::overview))
        .route("/state/tasks", get(state::tasks))
        .route("/state/stores", get(state::list_stores))
        .route("/state/stores/{name}/{key}", get(state::key));
    apps.into_iter()
        .fold(server, |routes, app| routes.merge(of_app(app)))
        .fallback(|| async {
            Problem::not_found("such address", "the README lists the addresses; GET / is the first page")
        })
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(shared.clone(), around))
        .with_state(shared)
}

/// The addresses of an application.
fn of_app(app: App) -> Router<Arc<Shared>> {
    let owners = format!("/v1/{}", app.owner.plural);
    let list = move |State(shared): State<Arc<Shared>>, Query(page): Query<state::Page>, visitor: Visitor| {
        state::owners(shared, app, page, visitor)
    };
    let erase = move |State(shared): State<Arc<Shared>>, Path(id): Path<String>, visitor: Visitor| {
        erase::owner(shared, app, id, visitor)
    };
    let events =
        move |State(shared): State<Arc<Shared>>,
              Path(id): Path<String>,
              visitor: Visitor,
              Query(options): Query<results::Options>,
              headers: HeaderMap| async move { results::of_owner(shared, app, id, &visitor, options, &headers) };
    let mut routes = Router::new()
        .route(&format!("/{}/{{{}}}", app.section, app.owner.field), get(move || async move { pages::of_app(app) }))
        .route(&owners, get(list))
        .route(&format!("{owners}/{{id}}"), delete(erase))
        .route(&format!("{owners}/{{id}}/events"), get(events));
    for input in app.inputs {
        let take = move |State(shared): State<Arc<Shared>>, visitor: Visitor, headers: HeaderMap, body: Body| {
            intake::events(shared, app, input, Sent { visitor, headers, body })
        };
        routes = routes.route(input.path, post(take));
    }
    for property in app.properties {
        let set = move |State(shared): State<Arc<Shared>>,
                        Path(id): Path<String>,
                        visitor: Visitor,
                        headers: HeaderMap,
                        body: Body| {
            intake::property(shared, app, property, id, Sent { visitor, headers, body })
        };
        routes = routes.route(&format!("{owners}/{{id}}/{}", property.name), put(set));
    }
    routes
}

/// Counts requests by route, not by address, and answers pages of allowed origins with CORS headers.
async fn around(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("other", |path| path.as_str()).to_owned();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let origin = origin.filter(|origin| origin.to_str().is_ok_and(|origin| shared.access.allows_origin(origin)));
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
    shared.metrics.requests.with_label_values(&[&route, status.as_str()]).inc();
    shared.metrics.seconds.with_label_values(&[&route]).observe(started.elapsed().as_secs_f64());
    response
}
