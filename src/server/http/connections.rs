//! Accepts connections and serves requests on them, until the server closes.

use std::{net::IpAddr, sync::Arc};

use axum::{Extension, Router, serve::Listener as _};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tower::Layer as _;

use super::addresses::Addresses;
use crate::server::{access::Peer, settings::Limits};

/// Serves until `closing` becomes true, then lets running requests finish.
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
    let permits = Arc::new(Semaphore::new(limits.connections));
    let addresses = Addresses::new(limits.address_connections);
    let graceful = GracefulShutdown::new();
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
        let service = TowerToHyperService::new(Extension(Peer(address)).layer(routes.clone()));
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop((permit, place));
        });
    }
    drop(listener);
    graceful.shutdown().await;
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
