//! A running server, on a thread and a runtime of its own.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::mpsc,
    thread::JoinHandle,
};

use axum::Router;
use tokio::{net::TcpListener, runtime::Builder, sync::oneshot};

use crate::fuse::{Fuse, FusedListener};

/// A running server. Dropping it stops it and closes all its connections.
#[derive(Debug)]
pub(crate) struct House {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl House {
    /// Opens one on a free port of this machine.
    pub(crate) fn open(app: Router) -> Self {
        Self::listen(app, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a stand-in starts on a free port")
    }

    pub(crate) fn listen(app: Router, address: SocketAddr) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        // All of it on the thread, so that a caller within a runtime may start it, too.
        let thread = std::thread::Builder::new().name("chat-server".into()).spawn(move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            runtime.block_on(async {
                let listener = match TcpListener::bind(address).await {
                    Ok(listener) => listener,
                    Err(error) => return drop(tell.send(Err(error))),
                };
                let _ = tell.send(listener.local_addr());
                let app = app.into_make_service_with_connect_info::<Fuse>();
                tokio::select! {
                    _ = axum::serve(FusedListener(listener), app).into_future() => {}
                    _ = stopped => {}
                }
            });
        })?;
        let address = told.recv().map_err(io::Error::other)??;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
