//! Opens WebSockets for those that may.

use std::sync::Arc;

use axum::{
    extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use futures_util::StreamExt as _;

use super::{
    asks::Asker,
    connection::Connection,
    origin,
    page::{Page, run},
    sockets::{MESSAGE_BYTES, Sockets, UNSENT_BYTES},
};
use crate::{
    apps::App,
    server::{
        access::{PROTOCOL, Visitor},
        problem::Problem,
        results::{Follower, Options},
    },
};

/// A request for a WebSocket.
pub(in crate::server) struct Handshake {
    pub(in crate::server) headers: HeaderMap,
    pub(in crate::server) upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    pub(in crate::server) connection: Connection,
}

/// `GET` of an owner's WebSocket.
pub(in crate::server) fn open(
    sockets: Arc<Sockets>,
    app: App,
    key: String,
    visitor: Visitor,
    options: Options,
    Handshake { headers, upgrade, connection }: Handshake,
) -> Result<Response, Problem> {
    origin::check(&headers, &sockets.origins)?;
    let upgrade = upgrade.map_err(|_| {
        let fix =
            "open it as a WebSocket; the same results are server-sent events at the address that ends with /events";
        Problem::new(StatusCode::UPGRADE_REQUIRED, "this address speaks WebSocket", fix)
    })?;
    let follower = Follower::open(sockets.results.clone(), app, key.clone(), &visitor, options, &headers)?;
    let changes = sockets.sources.follow(app, &key);
    let (closing, idle) = (sockets.closing.clone(), sockets.idle_timeout);
    let asker = Arc::new(Asker { sockets, app, key, visitor });
    let page = Page::new(asker, follower.stream().boxed(), changes, closing, idle);
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES).max_frame_size(MESSAGE_BYTES);
    let upgrade = upgrade.max_write_buffer_size(UNSENT_BYTES).protocols([PROTOCOL]);
    Ok(upgrade.on_upgrade(async move |socket| {
        run(socket, page).await;
        drop(connection);
    }))
}
