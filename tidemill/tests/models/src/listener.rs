//! Accepts connections, counts them, and closes them at once in an outage that refuses.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::desk::Desk;

/// A listener that counts.
pub(crate) struct Counting {
    inner: TcpListener,
    desk: Arc<Desk>,
}

/// A connection that is counted until it is dropped.
pub(crate) struct Counted {
    inner: TcpStream,
    desk: Arc<Desk>,
}

impl Counting {
    pub(crate) fn new(inner: TcpListener, desk: Arc<Desk>) -> Self {
        Self { inner, desk }
    }
}

impl Listener for Counting {
    type Io = Counted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Counted, SocketAddr) {
        loop {
            // Waits and tries again where accepting fails.
            let (inner, address) = Listener::accept(&mut self.inner).await;
            let now_ms = self.desk.now_ms();
            if self.desk.schedule().outage_at(now_ms).is_some_and(|outage| outage.refuses) {
                continue;
            }
            // Small pieces of a stream go out at once.
            let _ = inner.set_nodelay(true);
            self.desk.connections().fetch_add(1, Ordering::Relaxed);
            return (Counted { inner, desk: self.desk.clone() }, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.desk.connections().fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
