//! A small HTTP client that shows exactly what came over the wire.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use tidemill_model_server::ModelServer;

/// An answer, also one that is not whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Whether the body came to its end.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }

    /// The data of all events of a stream.
    pub(crate) fn events(&self) -> Vec<String> {
        self.body.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    /// The events that are JSON.
    pub(crate) fn pieces(&self) -> Vec<Value> {
        self.events().iter().filter_map(|event| serde_json::from_str(event).ok()).collect()
    }
}

/// Begins a request, without reading the answer.
pub(crate) fn begin(server: &ModelServer, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).expect("the stand-in accepts");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: stand-in\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.extend([*name, ": ", *value, "\r\n"]);
    }
    let length = body.len();
    let rest = format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all((head + &rest).as_bytes()).expect("the request is sent");
    stream
}

pub(crate) fn request(server: &ModelServer, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    finish(begin(server, method, path, headers, body))
}

/// Reads the answer to its end, or to where the connection was cut.
pub(crate) fn finish(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(text: &str) -> Answer {
    let (head, rest) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let (body, whole) = if header("transfer-encoding") == Some("chunked") {
        chunks(rest)
    } else {
        let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        (rest.to_owned(), rest.len() == length)
    };
    Answer { status, headers, body, whole }
}

/// The chunks together, and whether the last one came.
fn chunks(mut rest: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        if size == 0 {
            return (body, true);
        }
        let Some(chunk) = after.get(..size) else { break };
        body += chunk;
        rest = after.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const GEMINI: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
pub(crate) const GEMINI_STREAM: &str = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse";

/// Asks in `OpenAI`'s protocol.
pub(crate) fn chat(server: &ModelServer, id: &str, body: &Value) -> Answer {
    let headers = [("x-request-id", id), ("authorization", "Bearer key-1234")];
    request(server, "POST", CHAT, &headers, &body.to_string())
}

/// Asks in Gemini's protocol.
pub(crate) fn gemini(server: &ModelServer, id: &str, body: &Value) -> Answer {
    request(server, "POST", GEMINI, &[("x-request-id", id), ("x-goog-api-key", "key-1234")], &body.to_string())
}

/// Asks for a stream in Gemini's protocol.
pub(crate) fn gemini_stream(server: &ModelServer, id: &str, body: &Value) -> Answer {
    request(server, "POST", GEMINI_STREAM, &[("x-request-id", id), ("x-goog-api-key", "key-1234")], &body.to_string())
}

/// A question in `OpenAI`'s protocol: the fields of `more` beside a message.
pub(crate) fn ask_chat(more: Value) -> Value {
    let mut body = serde_json::json!({"model": "small", "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "How is the mood?"}]});
    merge(&mut body, more);
    body
}

/// A question in Gemini's protocol: the fields of `more` beside a message.
pub(crate) fn ask_gemini(more: Value) -> Value {
    let mut body = serde_json::json!({"systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "How is the mood?"}]}]});
    merge(&mut body, more);
    body
}

fn merge(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}

/// Waits for what the stand-in learns on its own time.
pub(crate) fn soon(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "not within half a minute: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
