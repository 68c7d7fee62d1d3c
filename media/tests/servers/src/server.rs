//! A server that runs.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::content::{Content, SEGMENT_MS};
use crate::playlist;
use crate::routes::routes;
use crate::schedule::{Pace, Schedule};

/// The kinds of segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Media,
    Captions,
}

/// A stream, and what was asked of it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) schedule: Schedule,
    pub(crate) content: Arc<Content>,
    started: Instant,
    by_hand: AtomicU64,
    asked: Mutex<HashMap<(Kind, u64), u32>>,
    renewed: AtomicBool,
}

impl Stream {
    /// How many segments exist now.
    pub(crate) fn made(&self) -> u64 {
        let passed = match self.schedule.pace {
            Pace::Scaled(speed) => (self.started.elapsed().as_secs_f64() * 1000.0 * speed / SEGMENT_MS as f64) as u64,
            Pace::ByHand => self.by_hand.load(Ordering::SeqCst),
        };
        self.schedule.ready + passed
    }

    /// Counts a request of a segment.
    pub(crate) fn ask(&self, kind: Kind, segment: u64) -> u32 {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let count = asked.entry((kind, segment)).or_default();
        *count += 1;
        *count
    }

    /// Somebody looked at the page again: addresses work again.
    pub(crate) fn renew(&self) {
        let expires = self.schedule.faults.expires_at;
        if expires.is_some_and(|at| self.made() >= at) {
            self.renewed.store(true, Ordering::SeqCst);
        }
    }

    pub(crate) fn renewed(&self) -> bool {
        self.renewed.load(Ordering::SeqCst)
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct HlsServer {
    address: SocketAddr,
    stream: Arc<Stream>,
    task: JoinHandle<io::Result<()>>,
}

impl HlsServer {
    /// Starts on a free port of this machine.
    ///
    /// # Errors
    /// Where the port cannot be had.
    pub async fn start(content: Arc<Content>, schedule: Schedule) -> io::Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), content, schedule).await
    }

    /// Starts on this address.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub async fn start_on(address: SocketAddr, content: Arc<Content>, schedule: Schedule) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let stream = Arc::new(Stream {
            schedule,
            content,
            started: Instant::now(),
            by_hand: AtomicU64::new(0),
            asked: Mutex::default(),
            renewed: AtomicBool::new(false),
        });
        let app = routes(Arc::clone(&stream));
        let task = tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, stream, task })
    }

    /// The address of a path, for example `/live/master.m3u8`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Lets this many more segments exist, where the pace is by hand.
    pub fn advance(&self, segments: u64) {
        self.stream.by_hand.fetch_add(segments, Ordering::SeqCst);
    }

    /// How many segments exist now.
    pub fn made(&self) -> u64 {
        self.stream.made()
    }

    /// How often a segment was asked for.
    pub fn asked(&self, segment: u64) -> u32 {
        self.count(Kind::Media, segment)
    }

    /// How often the captions of a segment were asked for.
    pub fn captions_asked(&self, segment: u64) -> u32 {
        self.count(Kind::Captions, segment)
    }

    fn count(&self, kind: Kind, segment: u64) -> u32 {
        self.stream.asked.lock().unwrap_or_else(PoisonError::into_inner).get(&(kind, segment)).copied().unwrap_or(0)
    }

    /// The event time at which a segment begins.
    pub fn start_ms(&self, segment: u64) -> i64 {
        playlist::start_ms(&self.stream.schedule, segment)
    }

    /// What is said when, in event times, in the first `segments` segments.
    pub fn spoken(&self, segments: u64) -> Vec<crate::Spoken> {
        let content = &self.stream.content;
        let each = (content.duration_ms() / SEGMENT_MS) as u64;
        let of_round = |round: u64| {
            content.spoken().iter().filter_map(move |line| {
                let number = round * each + (line.start_ms / SEGMENT_MS) as u64;
                let shift = self.start_ms(number) - line.start_ms.div_euclid(SEGMENT_MS) * SEGMENT_MS;
                (number < segments).then(|| crate::Spoken {
                    start_ms: shift + line.start_ms,
                    end_ms: shift + line.end_ms,
                    text: line.text.clone(),
                })
            })
        };
        (0..segments.div_ceil(each)).flat_map(of_round).collect()
    }
}

impl Drop for HlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
