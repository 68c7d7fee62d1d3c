//! The addresses of the server and of each application.

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Body,
    extract::{
        FromRef, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    handler::Handler,
    http::{HeaderMap, Method, StatusCode},
    routing::{MethodRouter, any, delete, get, post, put},
};

use crate::{
    apps::{App, Parameters},
    server::{
        access::{Access, Visitor},
        address::{Path, Query},
        clips::{self, Change, Clipping},
        dead_letters::{self, DeadLetters},
        erase::{self, Eraser},
        health::{self, Health},
        intake::{self, Intake, Request as Sent},
        journal::{self, Journal},
        pages::{self, Pages},
        problem::Problem,
        results::{self, Results, Views},
        socket::{self, Connection, Handshake, Sockets},
        sources::{self, Sources},
        state::{self, Inspector},
    },
    sources::Wished,
};

/// The parts of the server that answer requests. Each handler takes its own.
#[derive(Clone, FromRef)]
pub(super) struct Parts {
    pub(super) access: Access,
    pub(super) intake: Arc<Intake>,
    pub(super) results: Arc<Results>,
    pub(super) views: Arc<Views>,
    pub(super) eraser: Eraser,
    pub(super) dead_letters: Arc<DeadLetters>,
    pub(super) journal: Arc<Journal>,
    pub(super) inspector: Arc<Inspector>,
    pub(super) health: Arc<Health>,
    pub(super) pages: Arc<Pages>,
    pub(super) sources: Arc<Sources>,
    pub(super) clips: Arc<Clipping>,
    pub(super) sockets: Arc<Sockets>,
}

/// The routes of the server and of `apps`.
pub(super) fn routes(parts: Parts, apps: Vec<App>) -> Router {
    table(apps)
        .routes
        .fallback(|| async {
            Problem::not_found("such address", "the README lists the addresses; GET / is the first page")
        })
        .method_not_allowed_fallback(|method: Method| async move {
            let fix = "the header Allow lists the methods of this address";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("this address does not take {method}"), fix)
        })
        .with_state(parts)
}

/// Routes, and the list of them.
struct Table {
    routes: Router<Parts>,
    /// Methods and addresses. The README lists them, too.
    listed: Vec<(Method, String)>,
}

impl Table {
    fn add(mut self, method: Method, path: &str, handler: MethodRouter<Parts>) -> Self {
        self.listed.push((method, path.to_owned()));
        Self { routes: self.routes.route(path, handler), ..self }
    }

    fn get<T: 'static, H: Handler<T, Parts>>(self, path: &str, handler: H) -> Self {
        self.add(Method::GET, path, get(handler))
    }

    /// An address that is only an incomplete other one. It says what is missing.
    fn incomplete(self, path: &str, what: &str, fix: &str) -> Self {
        let (what, fix) = (what.to_owned(), fix.to_owned());
        Self { routes: self.routes.route(path, any(move || async move { Problem::not_found(&what, &fix) })), ..self }
    }
}

fn table(apps: Vec<App>) -> Table {
    let server = Table { routes: Router::new(), listed: Vec::new() }
        .get("/", pages::home)
        .get("/applications", pages::applications)
        .get("/operator", pages::operator)
        .get("/v1/time", health::time)
        .get("/assets/{folder}/{file}", pages::asset)
        .get("/mediapipe/pose/{file}", pages::pose_model)
        .get("/healthz", health::health)
        .get("/readyz", health::ready)
        .get("/metrics", health::metrics)
        .get("/state", state::overview)
        .get("/state/tasks", state::tasks)
        .get("/state/stores", state::list_stores)
        .get("/state/stores/{name}/{key}", state::key)
        .get("/state/calls", state::calls)
        .get("/state/calls/{application}/journal", journal::lines)
        .get("/state/dead-letters/{application}", dead_letters::list)
        .add(Method::POST, "/state/dead-letters/{application}/replay", post(dead_letters::replay))
        .get("/state/dead-records/{application}", dead_letters::records::list)
        .add(Method::POST, "/state/dead-records/{application}/replay", post(dead_letters::records::replay));
    let streams = apps.iter().find(|app| app.reads_streams).copied();
    let table = apps.into_iter().fold(server, with_app);
    match streams {
        Some(app) => with_clips(with_sources(table, app), app),
        None => table,
    }
}

/// Adds the addresses of an application.
fn with_app(table: Table, app: App) -> Table {
    let owners = format!("/v1/{}", app.owner.plural);
    let page = move |State(pages): State<Arc<Pages>>, Path(_): Path<String>, headers: HeaderMap| async move {
        pages.of_app(app, &headers)
    };
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
    let (word, section) = (app.owner.word, app.section);
    let (no_page, open) = (format!("page without a {word}"), format!("open /{section}/<{word} id>; GET / lists pages"));
    let no_owner = format!("{word} without an id");
    let name = |rest: &str| format!("write the {word}'s id: {owners}/<{word} id>{rest}; GET {owners} lists ids");
    let mut table = table
        .get(&format!("/{section}/{{{}}}", app.owner.field), page)
        .get(&owners, list)
        .add(Method::DELETE, &format!("{owners}/{{id}}"), delete(erase))
        .get(&format!("{owners}/{{id}}/events"), events)
        .get(&format!("{owners}/{{id}}/late"), late)
        .incomplete(&format!("/{section}"), &no_page, &open)
        .incomplete(&format!("/{section}/"), &no_page, &open)
        .incomplete(&format!("{owners}/"), &no_owner, &name(""))
        .incomplete(&format!("{owners}//events"), &no_owner, &name("/events"));
    for view in app.views {
        let show = move |State(views): State<Arc<Views>>,
                         Path(id): Path<String>,
                         visitor: Visitor,
                         Query(asked): Query<Parameters>| {
            results::view_of_owner(views, app, view, id, visitor, asked)
        };
        table = table.get(&format!("{owners}/{{id}}/{}", view.name), show);
    }
    for input in app.inputs {
        let take = move |State(intake): State<Arc<Intake>>, visitor: Visitor, headers: HeaderMap, body: Body| {
            intake::events(intake, app, input, Sent { visitor, headers, body })
        };
        table = table.add(Method::POST, input.path, post(take));
    }
    if let Some(withdrawals) = &app.withdrawals {
        for part in withdrawals.parts {
            let withdraw =
                move |State(intake): State<Arc<Intake>>, Path(named): Path<intake::Named>, visitor: Visitor| {
                    intake::withdraw(intake, app, withdrawals, part, named, visitor)
                };
            let path = format!("{owners}/{{id}}/{}/{{part_id}}", part.path);
            table = table.add(Method::DELETE, &path, delete(withdraw));
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
        let last = format!("/{}", property.name);
        table = table.add(Method::PUT, &format!("{owners}/{{id}}{last}"), put(set)).incomplete(
            &format!("{owners}/{last}"),
            &no_owner,
            &name(&last),
        );
    }
    table
}

/// Adds the addresses of live sources, and of the WebSocket that tells of them.
fn with_sources(table: Table, app: App) -> Table {
    let streams = &format!("/v1/{}", app.owner.plural);
    let start = |State(sources): State<Arc<Sources>>, visitor: Visitor, headers: HeaderMap, body: Body| {
        sources::start(sources, Sent { visitor, headers, body })
    };
    let one = |State(sources): State<Arc<Sources>>, Path(id): Path<String>, visitor: Visitor| async move {
        sources::one(&sources, &id, &visitor)
    };
    let socket = move |State(sockets): State<Arc<Sockets>>,
                       Path(id): Path<String>,
                       visitor: Visitor,
                       Query(options): Query<results::Options>,
                       Extension(connection): Extension<Connection>,
                       headers: HeaderMap,
                       upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>| async move {
        socket::open(sockets, app, id, visitor, options, Handshake { headers, upgrade, connection })
    };
    let table = table
        .add(Method::POST, streams, post(start))
        .get(&format!("{streams}/{{id}}"), one)
        .get(&format!("{streams}/{{id}}/socket"), socket);
    let changes = [("pause", Wished::Paused), ("resume", Wished::Running), ("stop", Wished::Stopped)];
    changes.into_iter().fold(table, |table, (name, wished)| {
        let change =
            move |State(sources): State<Arc<Sources>>, Path(id): Path<String>, visitor: Visitor, headers: HeaderMap| {
                sources::change(sources, id, wished, visitor, headers)
            };
        table.add(Method::POST, &format!("{streams}/{{id}}/{name}"), post(change))
    })
}

/// Adds the addresses of clips.
fn with_clips(table: Table, app: App) -> Table {
    type Clips = State<Arc<Clipping>>;
    let streams = format!("/v1/{}", app.owner.plural);
    let ask = |State(clips): Clips, Path(id): Path<String>, visitor: Visitor, headers: HeaderMap, body: Body| {
        clips::ask(clips, id, Sent { visitor, headers, body })
    };
    let all = |State(clips): Clips, Path(id): Path<String>, visitor: Visitor, headers: HeaderMap, body: Body| {
        clips::all(clips, id, Sent { visitor, headers, body })
    };
    let list = |State(clips): Clips, Path(id): Path<String>, visitor: Visitor| async move {
        clips::list(&clips, &id, &visitor)
    };
    let archive =
        |State(clips): Clips, Path(id): Path<String>, visitor: Visitor, Query(packed): Query<clips::Packed>| {
            clips::archive(clips, id, packed, visitor)
        };
    let one = |State(clips): Clips, Path((id, clip)): Path<(String, String)>, visitor: Visitor| async move {
        clips::one(&clips, &id, &clip, &visitor)
    };
    let remove = |State(clips): Clips, Path((id, clip)): Path<(String, String)>, visitor: Visitor| async move {
        clips::remove(&clips, &id, &clip, &visitor)
    };
    let file = |State(clips): Clips, Path((id, clip)): Path<(String, String)>, visitor: Visitor, headers: HeaderMap| {
        clips::file(clips, id, clip, visitor, headers)
    };
    let own = format!("{streams}/{{id}}/clips");
    let table = table
        .add(Method::POST, &own, post(ask))
        .get(&own, list)
        .add(Method::POST, &format!("{own}/all"), post(all))
        .get(&format!("{own}/archive"), archive)
        .get(&format!("{own}/{{clip}}"), one)
        .add(Method::DELETE, &format!("{own}/{{clip}}"), delete(remove))
        .get(&format!("{own}/{{clip}}/file"), file);
    [("cancel", Change::Cancel), ("retry", Change::Retry)].into_iter().fold(table, |table, (name, change)| {
        let change = move |State(clips): Clips,
                           Path((id, clip)): Path<(String, String)>,
                           visitor: Visitor,
                           headers: HeaderMap| async move {
            clips::change(&clips, [&id, &clip], change, &visitor, &headers)
        };
        table.add(Method::POST, &format!("{own}/{{clip}}/{name}"), post(change))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::apps::APPLICATIONS;

    /// An address without the names of its variable parts.
    fn shape(path: &str) -> String {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    }

    #[test]
    fn the_readme_lists_all_addresses_and_no_others() {
        let readme = include_str!("../../../README.md");
        let rows = readme.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('`');
            let (method, path) = cells.next()?.split_once(' ')?;
            let is_method = ["GET", "POST", "PUT", "DELETE"].contains(&method);
            is_method.then(|| format!("{method} {}", shape(path)))
        });
        let told: BTreeSet<_> = rows.collect();
        let listed = table(APPLICATIONS.to_vec()).listed;
        let served: BTreeSet<_> = listed.iter().map(|(method, path)| format!("{method} {}", shape(path))).collect();
        assert_eq!(told, served);
    }
}
