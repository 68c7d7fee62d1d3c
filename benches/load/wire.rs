//! One kept connection of a client that posts: as little work as can be, for the server is what is measured.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How long an answer may take; a page gives up after as long.
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
        let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {kind}\r\ncontent-length: ");
        Self { address, head, stream: None, buffer: Vec::new() }
    }

    /// Connects before the first event is due.
    pub(crate) async fn connect(&mut self) -> Result<()> {
        let stream = TcpStream::connect(self.address).await.context("the server does not answer")?;
        stream.set_nodelay(true)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Posts a body; gives the answer's status, or `None` if there is no answer.
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

/// The status, and how long the whole answer is; `None` before its head has come.
fn answer(bytes: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?;
    let status = head.split(' ').nth(1).context("a status")?.parse()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("a length")?;
    Ok(Some((status, end + 4 + length.parse::<usize>()?)))
}
