//! Connections that break off after a number of bytes.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// A connection's fuse: when so many bytes more were sent, the connection breaks off.
#[derive(Debug, Clone)]
pub(crate) struct Fuse(Arc<AtomicI64>);

impl Fuse {
    /// Breaks the connection off when so many bytes more were sent.
    pub(crate) fn burn_after(&self, bytes: usize) {
        self.0.store(bytes as i64, Ordering::SeqCst);
    }
}

/// Accepts connections that have a fuse.
pub(crate) struct Fused<Inner>(Inner, Fuse);

/// A listener whose connections have a fuse.
pub(crate) struct FusedListener(pub(crate) TcpListener);

impl Listener for FusedListener {
    type Io = Fused<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Small messages go out at once.
        let _ = stream.set_nodelay(true);
        (Fused(stream, Fuse(Arc::new(AtomicI64::new(i64::MAX)))), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, FusedListener>> for Fuse {
    fn connect_info(stream: IncomingStream<'_, FusedListener>) -> Self {
        stream.io().1.clone()
    }
}

impl AsyncRead for Fused<TcpStream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Fused<TcpStream> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let left = self.1.0.load(Ordering::SeqCst);
        if left == i64::MAX {
            return Pin::new(&mut self.0).poll_write(context, bytes);
        }
        if left <= 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "the fuse has burnt")));
        }
        let part = &bytes[..bytes.len().min(left as usize)];
        let wrote = Pin::new(&mut self.0).poll_write(context, part);
        if let Poll::Ready(Ok(count)) = &wrote {
            self.1.0.fetch_sub(*count as i64, Ordering::SeqCst);
        }
        wrote
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
