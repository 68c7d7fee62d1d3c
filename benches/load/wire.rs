//! A client that posts over one open connection. It does as little work as possible, because the server is measured.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The time limit for an answer. A page has the same limit.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Posts to one address.
pub(crate) struct Wire {
    address: SocketAddr,
    head: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(address: SocketAddr, path: &str, kind: &str) -> Self {
        Self::with_token(address, path, kind, None)
    }

    /// A client of a server that asks for a token.
    pub(crate) fn with_token(address: SocketAddr, path: &str, kind: &str, token: Option<&str>) -> Self {
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {kind}\r\n{token}content-length: ");
        Self { address, head, stream: None, buffer: Vec::new() }
    }

    /// Connects to the server. Callers do this before the first event is due.
    pub(crate) async fn connect(&mut self) -> Result<()> {
        let stream = TcpStream::connect(self.address).await.context("the server cannot be reached")?;
        stream.set_nodelay(true)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Posts a body. Returns the answer's status, or `None` if there is no answer.
    pub(crate) async fn post(&mut self, body: &str) -> Option<u16> {
        let answer = tokio::time::timeout(TIMEOUT, self.exchange(body)).await;
        let status = answer.ok().and_then(Result::ok);
        if status.is_none() {
            self.stream = None;
        }
        status
    }

    async fn exchange(&mut self, body: &str) -> Result<u16> {
        if self.stream.is_none() {
            self.connect().await?;
        }
        let Self { head, stream: Some(stream), buffer, .. } = self else { anyhow::bail!("not connected") };
        buffer.clear();
        buffer.extend_from_slice(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes());
        stream.write_all(buffer).await?;
        buffer.clear();
        loop {
            anyhow::ensure!(stream.read_buf(buffer).await? > 0, "the server closed the connection");
            if let Some((status, length)) = answer(buffer)? {
                while buffer.len() < length {
                    anyhow::ensure!(stream.read_buf(buffer).await? > 0, "the server closed the connection");
                }
                return Ok(status);
            }
        }
    }
}

/// The status and the length of the whole answer, or `None` while the head is incomplete.
fn answer(bytes: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?;
    let status = head.split(' ').nth(1).context("a status")?.parse()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("a length")?;
    Ok(Some((status, end + 4 + length.parse::<usize>()?)))
}
