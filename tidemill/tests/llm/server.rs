//! A server that says what it is told to, and remembers what it was asked.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;

/// One response.
#[derive(Clone)]
pub(crate) struct Said {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// The connection closes, although more was announced.
    cut: bool,
    pause: Duration,
}

impl Said {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    pub(crate) fn text(status: u16, kind: &str, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", kind.to_owned())];
        Self { status, headers, body: body.into(), cut: false, pause: Duration::ZERO }
    }

    /// A stream of events.
    pub(crate) fn events(events: &[&str]) -> Self {
        let events: Vec<_> = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        Self::text(200, "text/event-stream", events.concat())
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn cut(self) -> Self {
        Self { cut: true, ..self }
    }

    pub(crate) fn after(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Says these things one after the other, and the last one again and again.
    pub(crate) fn saying(all: impl IntoIterator<Item = Said>) -> Self {
        let said: Vec<_> = all.into_iter().collect();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let shared = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = {
                    let Ok(request) = read(&stream) else { continue };
                    let mut asked: std::sync::MutexGuard<'_, Vec<Asked>> = shared.lock().expect("the list");
                    asked.push(request);
                    asked.len() - 1
                };
                let said = said[number.min(said.len() - 1)].clone();
                thread::spawn(move || drop(write(stream, &said)));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("the list").clone()
    }

    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.asked().into_iter().map(|asked| asked.body).collect()
    }
}

fn read(stream: &TcpStream) -> std::io::Result<Asked> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok(Asked { path, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}

fn write(mut stream: TcpStream, said: &Said) -> std::io::Result<()> {
    thread::sleep(said.pause);
    let mut head = format!("HTTP/1.1 {} said\r\nconnection: close\r\n", said.status);
    for (name, value) in &said.headers {
        head.extend([*name, ": ", value.as_str(), "\r\n"]);
    }
    let length = said.body.len() + if said.cut { 100 } else { 0 };
    write!(stream, "{head}content-length: {length}\r\n\r\n{}", said.body)?;
    stream.flush()
}
