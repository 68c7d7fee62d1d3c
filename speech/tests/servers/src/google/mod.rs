//! A server with Google Speech-to-Text V2's stream.

mod session;

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated from the description of the service")]
mod proto {
    tonic::include_proto!("google.cloud.speech.v2");
}

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::door::Guard;
use crate::{Door, Faults, Script};
use proto::speech_server::{Speech, SpeechServer};
use proto::{StreamingRecognizeRequest, StreamingRecognizeResponse};

/// How the server works.
#[derive(Debug, Clone)]
pub struct GoogleSettings {
    /// What is heard.
    pub script: Arc<Script>,
    /// What goes wrong.
    pub faults: Faults,
    /// Whose token is let in.
    pub door: Door,
    /// After so much audio, in milliseconds, a stream is ended. Google's are ended after 305 s.
    pub longest_ms: i64,
}

impl GoogleSettings {
    /// A server that hears this script, with nothing that goes wrong, and ends streams after 305 s of audio.
    pub fn new(script: Arc<Script>) -> Self {
        Self { script, faults: Faults::default(), door: Door::Open, longest_ms: 305_000 }
    }

    /// The same with time that runs so many times as fast: streams are ended after less audio.
    pub fn scaled(mut self, factor: f64) -> Self {
        self.longest_ms = (self.longest_ms as f64 / factor.max(f64::MIN_POSITIVE)) as i64;
        self
    }
}

/// A server with Google's stream. It ends when it is dropped.
#[derive(Debug)]
pub struct GoogleServer {
    address: SocketAddr,
    desk: Arc<Desk>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Desk {
    settings: GoogleSettings,
    guard: Guard,
    tally: Tally,
}

/// What a server counts.
#[derive(Debug, Default)]
struct Tally {
    sessions: AtomicU64,
    heard_ms: AtomicU64,
    refused: AtomicU64,
    broken: AtomicU64,
    ended: AtomicU64,
}

impl GoogleServer {
    /// Starts a server on a free port of this machine.
    pub async fn start(settings: GoogleSettings) -> std::io::Result<Self> {
        Self::listen(settings, TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Starts a server on this listener.
    pub fn listen(settings: GoogleSettings, listener: TcpListener) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let guard = Guard::new(settings.door.clone())?;
        let desk = Arc::new(Desk { settings, guard, tally: Tally::default() });
        let service = SpeechServer::new(Service(Arc::clone(&desk)));
        let task = tokio::spawn(async move {
            let server = tonic::transport::Server::builder().add_service(service);
            // The server runs until its task is ended.
            let _ = server.serve_with_incoming(TcpIncoming::from(listener)).await;
        });
        Ok(Self { address, desk, task })
    }

    /// The server's address: `http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many streams came, with those that were refused.
    pub fn sessions(&self) -> u64 {
        self.desk.tally.sessions.load(Relaxed)
    }

    /// How much audio came, in milliseconds.
    pub fn heard_ms(&self) -> u64 {
        self.desk.tally.heard_ms.load(Relaxed)
    }

    /// How many streams had a token that was not let in.
    pub fn refused(&self) -> u64 {
        self.desk.tally.refused.load(Relaxed)
    }

    /// How many streams were broken by faults.
    pub fn broken(&self) -> u64 {
        self.desk.tally.broken.load(Relaxed)
    }

    /// How many streams were ended because they became too long.
    pub fn ended(&self) -> u64 {
        self.desk.tally.ended.load(Relaxed)
    }
}

impl Drop for GoogleServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Service(Arc<Desk>);

#[tonic::async_trait]
impl Speech for Service {
    type StreamingRecognizeStream = Responses;

    async fn streaming_recognize(
        &self,
        request: Request<Streaming<StreamingRecognizeRequest>>,
    ) -> Result<Response<Self::StreamingRecognizeStream>, Status> {
        let number = self.0.tally.sessions.fetch_add(1, Relaxed);
        let authorization = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        if !self.0.guard.admits(authorization) {
            self.0.tally.refused.fetch_add(1, Relaxed);
            return Err(Status::unauthenticated(
                "Request had invalid authentication credentials. Expected OAuth 2 access token.",
            ));
        }
        let (say, said) = mpsc::channel(16);
        let desk = Arc::clone(&self.0);
        tokio::spawn(session::run(desk, number, request.into_inner(), say));
        Ok(Response::new(Responses(said)))
    }
}

/// The responses of a stream.
struct Responses(mpsc::Receiver<Result<StreamingRecognizeResponse, Status>>);

impl futures_util::Stream for Responses {
    type Item = Result<StreamingRecognizeResponse, Status>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
