//! The addresses of the server and of each application.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{FromRef, State},
    http::{HeaderMap, Method, StatusCode},
    routing::{delete, get, post, put},
};

use crate::{
    apps::App,
    server::{
        access::{Access, Visitor},
        address::{Path, Query},
        erase::{self, Eraser},
        health::{self, Health},
        intake::{self, Intake, Request as Sent},
        pages::{self, Pages},
        problem::Problem,
        results::{self, Results},
        state::{self, Inspector},
    },
};

/// The parts of the server that answer requests. Each handler takes its own.
#[derive(Clone, FromRef)]
pub(super) struct Parts {
    pub(super) access: Access,
    pub(super) intake: Arc<Intake>,
    pub(super) results: Arc<Results>,
    pub(super) eraser: Eraser,
    pub(super) inspector: Arc<Inspector>,
    pub(super) health: Arc<Health>,
    pub(super) pages: Arc<Pages>,
}

/// The routes of the server and of `apps`.
pub(super) fn routes(parts: Parts, apps: Vec<App>) -> Router {
    let server = Router::new()
        .route("/", get(pages::home))
        .route("/applications", get(pages::applications))
        .route("/assets/{folder}/{file}", get(pages::asset))
        .route("/mediapipe/pose/{file}", get(pages::pose_model))
        .route("/v1/time", get(health::time))
        .route("/healthz", get(health::health))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/state", get(state::overview))
        .route("/state/tasks", get(state::tasks))
        .route("/state/stores", get(state::list_stores))
        .route("/state/stores/{name}/{key}", get(state::key));
    apps.into_iter()
        .fold(server, |routes, app| routes.merge(of_app(app)))
        .fallback(|| async {
            Problem::not_found("such address", "the README lists the addresses; GET / is the first page")
        })
        .method_not_allowed_fallback(|method: Method| async move {
            let fix = "the header Allow lists the methods of this address";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("this address does not take {method}"), fix)
        })
        .with_state(parts)
}

/// The addresses of an application.
fn of_app(app: App) -> Router<Parts> {
    let owners = format!("/v1/{}", app.owner.plural);
    let page = move |State(pages): State<Arc<Pages>>, headers: HeaderMap| async move { pages.of_app(app, &headers) };
    let list = move |State(inspector): State<Arc<Inspector>>, Query(page): Query<state::Page>, visitor: Visitor| {
        state::owners(inspector, app, page, visitor)
    };
    let erase = move |State(eraser): State<Eraser>, Path(id): Path<String>, visitor: Visitor| {
        erase::owner(eraser, app, id, visitor)
    };
    let events =
        move |State(results): State<Arc<Results>>,
              Path(id): Path<String>,
              visitor: Visitor,
              Query(options): Query<results::Options>,
              headers: HeaderMap| async move { results::of_owner(results, app, id, &visitor, options, &headers) };
    let late = move |State(results): State<Arc<Results>>, Path(id): Path<String>, visitor: Visitor| async move {
        results::late_of_owner(&results, app, &id, &visitor)
    };
    let without_owner = move || async move {
        let (word, section) = (app.owner.word, app.section);
        Problem::not_found(
            &format!("page without a {word}"),
            &format!("open /{section}/<{word} id>; GET / lists pages"),
        )
    };
    let mut routes = Router::new()
        .route(&format!("/{}", app.section), get(without_owner))
        .route(&format!("/{}/{{{}}}", app.section, app.owner.field), get(page))
        .route(&owners, get(list))
        .route(&format!("{owners}/{{id}}"), delete(erase))
        .route(&format!("{owners}/{{id}}/events"), get(events))
        .route(&format!("{owners}/{{id}}/late"), get(late));
    for input in app.inputs {
        let take = move |State(intake): State<Arc<Intake>>, visitor: Visitor, headers: HeaderMap, body: Body| {
            intake::events(intake, app, input, Sent { visitor, headers, body })
        };
        routes = routes.route(input.path, post(take));
    }
    for withdrawals in &app.withdrawals {
        for part in withdrawals.parts {
            let withdraw =
                move |State(intake): State<Arc<Intake>>, Path(named): Path<intake::Named>, visitor: Visitor| {
                    intake::withdraw(intake, app, withdrawals, part, named, visitor)
                };
            routes = routes.route(&format!("{owners}/{{id}}/{}/{{part_id}}", part.path), delete(withdraw));
        }
    }
    for property in app.properties {
        let set = move |State(intake): State<Arc<Intake>>,
                        Path(id): Path<String>,
                        visitor: Visitor,
                        headers: HeaderMap,
                        body: Body| {
            intake::property(intake, app, property, id, Sent { visitor, headers, body })
        };
        routes = routes.route(&format!("{owners}/{{id}}/{}", property.name), put(set));
    }
    routes
}
