//! A server that answers with prepared bytes.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::collections::VecDeque;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

/// A server that gives its answers in order, one to each connection, and the last of them again and again.
#[derive(Debug)]
pub struct OddServer {
    port: u16,
    task: JoinHandle<()>,
}

impl OddServer {
    pub async fn start(answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut answers: VecDeque<_> = answers.into_iter().collect();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
                let mut asked = Vec::new();
                while !asked.ends_with(b"\r\n\r\n") && stream.read_buf(&mut asked).await.is_ok_and(|read| read > 0) {}
                // The reader may leave before the end of the answer.
                let _ = stream.write_all(&answer.unwrap_or_default()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, task }
    }

    /// Its address, by a name.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}/chat", self.port)
    }
}

impl Drop for OddServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer of JSON.
pub fn json(body: &str) -> Vec<u8> {
    answer("200 OK\r\ncontent-type: application/json", body)
}

/// An answer, by its status and further headers.
pub fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}
