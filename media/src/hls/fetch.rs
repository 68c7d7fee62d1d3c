//! Playlists and segments over HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{RANGE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use tidemill_remote::Backoff;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::error::MediaError;
use crate::hls::{Part, Playlist, parse};
use crate::net::Reach;
use crate::shown::host;

/// The longest playlist and segment that are read: more is not a live stream's.
const PLAYLIST_BYTES: usize = 8 << 20;
const SEGMENT_BYTES: usize = 128 << 20;

/// How long a whole playlist and a whole segment may take: a server that sends a byte now and then must not hold a reader.
const PLAYLIST_TIME: Duration = Duration::from_secs(20);
const SEGMENT_TIME: Duration = Duration::from_secs(60);

/// Reads over HTTP, and tries again where that may help.
#[derive(Debug, Clone)]
pub struct Fetch {
    client: Client,
    attempts: u32,
    backoff: Arc<Mutex<Backoff>>,
    reach: Reach,
    playlist_time: Duration,
    segment_time: Duration,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server does not give it: status 4xx, except 408 and 429.
    Denied {
        /// Its HTTP status.
        status: u16,
    },
    /// Trouble that may pass.
    Passing {
        /// What happened.
        reason: String,
        /// How long to wait, where the server told.
        retry_after: Option<Duration>,
    },
    /// The answer is of no use.
    Useless(MediaError),
}

impl Trouble {
    /// The error of a whole stream whose playlist on `address` gave this trouble.
    pub fn of_stream(self, address: &Url) -> MediaError {
        match self {
            Self::Denied { status } => MediaError::Expired { host: host(address), status },
            Self::Passing { reason, retry_after } => MediaError::Transient { reason, retry_after },
            Self::Useless(error) => error,
        }
    }
}

impl Fetch {
    /// Reads with at most `attempts` attempts for a segment; `backoff` tells how long to wait between them. Addresses out of
    /// `reach` are refused, also where a name or a redirect leads to them.
    ///
    /// # Errors
    /// [`MediaError::Refused`] where TLS cannot be set up.
    pub fn new(attempts: u32, backoff: Backoff, reach: Reach) -> Result<Self, MediaError> {
        // A second installation finds the first one, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reach
            .client()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(20))
            .user_agent(concat!("tidemill-media/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                MediaError::refused(
                    format!("HTTPS cannot be used: {error}."),
                    "Install the certificates of this system: on Debian, 'apt-get install ca-certificates'.",
                )
            })?;
        Ok(Self {
            client,
            attempts: attempts.max(1),
            backoff: Arc::new(Mutex::new(backoff)),
            reach,
            playlist_time: PLAYLIST_TIME,
            segment_time: SEGMENT_TIME,
        })
    }

    /// Reads a playlist, once: it changes anyway, so the next reading is the next attempt.
    pub async fn playlist(&self, address: &Url) -> Result<Playlist, Trouble> {
        let read = async {
            let response = self.ask(address, None).await?;
            // Addresses in it are relative to where redirects led.
            let base = response.url().clone();
            Ok((all(response, PLAYLIST_BYTES).await?, base))
        };
        let (bytes, base) = within(self.playlist_time, address, read).await?;
        parse(&bytes, &base).map_err(Trouble::Useless)
    }

    /// Reads a segment whole: a transfer that breaks off is tried again.
    pub async fn part(&self, part: &Part) -> Result<Bytes, Trouble> {
        let mut attempt = 1;
        let mut read = Duration::ZERO;
        loop {
            let began = Instant::now();
            let left = self.segment_time.saturating_sub(read);
            let once = within(left, &part.address, self.part_once(part)).await;
            read += began.elapsed();
            let trouble = match once {
                Ok(bytes) => return Ok(bytes),
                Err(trouble) => trouble,
            };
            let told = match &trouble {
                Trouble::Passing { retry_after, .. } => retry_after.unwrap_or_default(),
                // A segment is listed before each server of a network has it.
                Trouble::Denied { status: 404 } => Duration::ZERO,
                _ => return Err(trouble),
            };
            if attempt == self.attempts || read >= self.segment_time {
                return Err(trouble);
            }
            attempt += 1;
            let wait = self.backoff.lock().await.failed(None);
            tokio::time::sleep(wait.max(told)).await;
        }
    }

    async fn part_once(&self, part: &Part) -> Result<Bytes, Trouble> {
        let response = self.ask(&part.address, part.range).await?;
        let whole = part.range.is_some() && response.status() == StatusCode::OK;
        let bytes = all(response, SEGMENT_BYTES).await?;
        self.backoff.lock().await.succeeded();
        match part.range {
            // A server that does not know ranges sends everything.
            Some((from, length)) if whole => {
                let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
                let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(bytes.len());
                Ok(bytes.slice(from..to))
            }
            _ => Ok(bytes),
        }
    }

    async fn ask(&self, address: &Url, range: Option<(u64, u64)>) -> Result<Response, Trouble> {
        self.reach.check(address).map_err(Trouble::Useless)?;
        let mut request = self.client.get(address.clone());
        if let Some((from, length)) = range {
            request = request.header(RANGE, format!("bytes={from}-{}", from.saturating_add(length).saturating_sub(1)));
        }
        let response = request.send().await.map_err(|error| broken(address, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::REQUEST_TIMEOUT
        {
            return Err(Trouble::Denied { status: status.as_u16() });
        }
        let told = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Err(Trouble::Passing {
            reason: format!("{} answers with status {}.", host(address), status.as_u16()),
            retry_after: told.map(|seconds: u64| Duration::from_secs(seconds.min(300))),
        })
    }
}

/// An answer that must be there in this time.
async fn within<T>(
    time: Duration,
    address: &Url,
    answer: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    let late =
        |_| Trouble::Passing { reason: format!("{} does not answer in time.", host(address)), retry_after: None };
    tokio::time::timeout(time, answer).await.map_err(late)?
}

async fn all(mut response: Response, most: usize) -> Result<Bytes, Trouble> {
    let address = response.url().clone();
    let mut bytes = BytesMut::new();
    // An answer shorter than it promised is an error here.
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&address, &error))? {
        if bytes.len() + chunk.len() > most {
            let reason = format!("{} sends more than {} MB at once.", host(&address), most >> 20);
            return Err(Trouble::Useless(MediaError::refused(reason, "Check that the address is a live stream's.")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn broken(address: &Url, error: &reqwest::Error) -> Trouble {
    if let Some(refusal) = Reach::refusal(address, error) {
        return Trouble::Useless(refusal);
    }
    let what = if error.is_timeout() {
        "does not answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "broke off"
    };
    Trouble::Passing { reason: format!("{} {what}.", host(address)), retry_after: None }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use tidemill_remote::Backoff;
    use url::Url;

    use super::{Fetch, Trouble};
    use crate::hls::Part;
    use crate::net::Reach;

    #[tokio::test]
    async fn an_answer_that_comes_byte_by_byte_for_ever_holds_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                thread::spawn(move || {
                    let _ = stream.read(&mut [0; 1024]);
                    let mut text = &b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n#"[..];
                    while stream.write_all(text).is_ok() {
                        text = b"#";
                        thread::sleep(Duration::from_millis(5));
                    }
                });
            }
        });
        let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1), 0);
        let time = Duration::from_millis(100);
        let fetch = Fetch {
            playlist_time: time,
            segment_time: time,
            ..Fetch::new(9, backoff, Reach::default()).expect("a client")
        };
        let address: Url = format!("http://{address}/a").parse().expect("an address");
        let late = Trouble::Passing { reason: "127.0.0.1 does not answer in time.".into(), retry_after: None };
        assert_eq!(fetch.playlist(&address).await, Err(late.clone()));
        assert_eq!(fetch.part(&Part { address, range: None }).await, Err(late));
    }
}
