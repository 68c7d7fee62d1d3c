//! Accepts connections and serves requests on them, until the server closes.

use std::{net::IpAddr, pin::pin, sync::Arc};

use axum::{Extension, Router, serve::Listener as _};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tower::Layer as _;

use super::addresses::Addresses;
use crate::server::{access::Peer, settings::Limits, socket::Connection};

/// Serves until `closing` becomes true, then lets running requests and sockets finish.
pub(super) async fn serve(
    mut listener: TcpListener,
    routes: Router,
    limits: Limits,
    mut closing: watch::Receiver<bool>,
) {
    let mut http = http1::Builder::new();
    // The time for headers begins when a connection opens, and again after each response. So it ends idle connections,
    // too.
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout);
    let most = u32::try_from(limits.connections.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
    let permits = Arc::new(Semaphore::new(most as usize));
    let addresses = Addresses::new(limits.address_connections);
    loop {
        let (stream, address, permit) = tokio::select! {
            accepted = accept(&mut listener, &permits) => accepted,
            // The sender lives as long as the server.
            _ = closing.wait_for(|closing| *closing) => break,
        };
        let Some(place) = addresses.enter(address) else {
            tracing::debug!(%address, "an address has too many connections");
            continue;
        };
        // A WebSocket takes its connection over from HTTP, so HTTP's end is not the connection's. Who still holds this
        // value still counts.
        let held = Connection::held_by((permit, place));
        let layers = (Extension(Peer(address)), Extension(held.clone()));
        let service = TowerToHyperService::new(layers.layer(routes.clone()));
        let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let mut closing = closing.clone();
        let closed = async move { drop(closing.wait_for(|closing| *closing).await) };
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = closed => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(held);
        });
    }
    drop(listener);
    // All permits are back when the last connection has ended.
    drop(permits.acquire_many(most).await);
}

/// The next connection. While too many connections are open, and while the process has no file descriptor left, new
/// ones wait.
async fn accept(listener: &mut TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, IpAddr, OwnedSemaphorePermit) {
    let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
    let (stream, address) = listener.accept().await;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small responses to a client may be late");
    }
    (stream, address.ip(), permit)
}
