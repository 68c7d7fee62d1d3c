//! Asks yt-dlp where the media of a platform's page is.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tempfile::NamedTempFile;
use tidemill_remote::Backoff;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use url::Url;

use crate::error::MediaError;
use crate::process::{Next, Program, Restarts, Running};
use crate::resolve::{Resolved, Want, direct, info, refusals};
use crate::shown::host;

/// The longest answer of yt-dlp that is read. A stream with all its formats takes about 1 MB.
const ANSWER_BYTES: u64 = 64 << 20;

/// How many programs run at once: each takes a tenth of a gigabyte.
const PROGRAMS: usize = 4;

/// How addresses are resolved.
#[derive(Debug, Clone)]
pub struct ResolverOptions {
    /// Cookies of a browser in Netscape's format, for pages that ask for a login. The file is only read: yt-dlp gets a copy,
    /// because it writes cookies back. `None`: no cookies.
    pub cookies: Option<PathBuf>,
    /// A runtime of JavaScript as yt-dlp's `--js-runtimes` takes it, for example `node` or `deno:/opt/deno`. `None`: what
    /// yt-dlp finds by itself.
    pub js_runtime: Option<String>,
    /// Whether addresses of files on this machine (`file:`) are taken. False: a streamer gives the addresses.
    pub files: bool,
    /// Whether yt-dlp may look into any page for media that is embedded there, and not only into those of platforms that
    /// it knows. True. A page may lead it to any address, so a server that strangers send addresses to says false.
    pub any_page: bool,
    /// After how long yt-dlp is killed. One minute.
    pub timeout: Duration,
    /// How often yt-dlp is asked before trouble that may pass is told. 3.
    pub attempts: u32,
    /// The first waiting time between two attempts; it doubles. Two seconds.
    pub wait_first: Duration,
    /// What waiting times are drawn from.
    pub seed: u64,
    /// yt-dlp. `None`: the one that is installed.
    pub yt_dlp: Option<Program>,
}

impl Default for ResolverOptions {
    fn default() -> Self {
        Self {
            cookies: None,
            js_runtime: None,
            files: false,
            any_page: true,
            timeout: Duration::from_secs(60),
            attempts: 3,
            wait_first: Duration::from_secs(2),
            seed: 0,
            yt_dlp: None,
        }
    }
}

/// Resolves addresses. Copies share how many programs run at once.
#[derive(Debug, Clone)]
pub struct Resolver {
    options: ResolverOptions,
    turns: Arc<Semaphore>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(ResolverOptions::default())
    }
}

impl Resolver {
    /// A resolver with these options.
    pub fn new(options: ResolverOptions) -> Self {
        Self { options, turns: Arc::new(Semaphore::new(PROGRAMS)) }
    }

    /// Where the media of this address is. Addresses of media are taken as they are; of all other pages yt-dlp is asked.
    /// Cancel safe: yt-dlp is killed.
    ///
    /// # Errors
    /// [`MediaError::NotLive`] where the stream has not begun; [`MediaError::Refused`] where the platform wants a login, a
    /// runtime of JavaScript or a newer yt-dlp; [`MediaError::Missing`] where yt-dlp is not installed;
    /// [`MediaError::Transient`] where all attempts met trouble that may pass.
    pub async fn resolve(&self, address: &Url, want: Want) -> Result<Resolved, MediaError> {
        if address.scheme() == "file" && !self.options.files {
            return Err(MediaError::refused("A file of the server cannot be read.", "Give the address of a stream."));
        }
        if let Some(resolved) = direct(address) {
            return Ok(resolved);
        }
        if !matches!(address.scheme(), "http" | "https") {
            return Err(MediaError::refused(
                format!("An address of kind '{}' cannot be read.", address.scheme()),
                "Give an address that begins with https, http, rtmp, rtsp or srt.",
            ));
        }
        let program = match &self.options.yt_dlp {
            Some(program) => program.clone(),
            None => Program::find("yt-dlp")?,
        };
        let backoff = Backoff::new(self.options.wait_first, Duration::from_secs(60), self.options.seed);
        let mut restarts = Restarts::new(backoff, self.options.attempts);
        loop {
            let asked = async {
                let closed = |_| MediaError::transient("Resolving has stopped.");
                let _turn = self.turns.acquire().await.map_err(closed)?;
                self.ask(&program, address, want).await
            };
            let error = match asked.await {
                Ok(resolved) => return Ok(resolved),
                Err(error) => error,
            };
            match restarts.failed(error) {
                Next::GiveUp(error) => return Err(error),
                Next::Again { after } => tokio::time::sleep(after).await,
            }
        }
    }

    async fn ask(&self, program: &Program, address: &Url, want: Want) -> Result<Resolved, MediaError> {
        let format = match want {
            Want::Audio => "ba[protocol^=m3u8]/worst[protocol^=m3u8][acodec!=none]/ba/wa*",
            Want::Video => "b[protocol^=m3u8][height<=1080]/bv*[height<=1080]+ba/b",
        };
        let cookies = self.cookies()?;
        let mut command = program.command();
        command.args([
            "--ignore-config",
            "--no-playlist",
            "--playlist-items",
            "1",
            "--dump-single-json",
            "--no-progress",
        ]);
        command.args(["--socket-timeout", "20", "--format", format]);
        if let Some(runtime) = &self.options.js_runtime {
            command.args(["--js-runtimes", runtime]);
        }
        if !self.options.any_page {
            command.args(["--use-extractors", "default,-generic"]);
        }
        if let Some(cookies) = &cookies {
            command.arg("--cookies").arg(cookies.path());
        }
        // The address may hold a secret: it is not shown in the list of processes.
        command.args(["--batch-file", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(program, command)?;
        let (stdin, stdout) = (running.stdin(), running.stdout());
        let talk = async {
            if let Some(mut stdin) = stdin {
                // Where yt-dlp is gone already, its messages tell why.
                let _ = stdin.write_all(format!("{address}\n").as_bytes()).await;
            }
            let mut answer = Vec::new();
            if let Some(stdout) = stdout {
                let _ = stdout.take(ANSWER_BYTES).read_to_end(&mut answer).await;
            }
            (answer, running.wait().await)
        };
        let Ok((answer, exit)) = tokio::time::timeout(self.options.timeout, talk).await else {
            return Err(MediaError::transient(format!(
                "yt-dlp did not answer about {} within {} seconds.",
                host(address),
                self.options.timeout.as_secs()
            )));
        };
        let exit = exit?;
        // It may fail after it answered, while it tidies up.
        match info::read(&answer) {
            Ok(resolved) => Ok(resolved),
            Err(error) if exit.success() => Err(error),
            Err(_) => Err(refusals::explain(&exit, &host(address), self.options.cookies.is_some())),
        }
    }

    /// A copy that only this user can read, and that is gone afterwards.
    fn cookies(&self) -> Result<Option<NamedTempFile>, MediaError> {
        let Some(path) = &self.options.cookies else { return Ok(None) };
        let copy = || {
            let bytes = std::fs::read(path)?;
            let mut file = NamedTempFile::new()?;
            file.write_all(&bytes)?;
            Ok(file)
        };
        copy().map(Some).map_err(|error: std::io::Error| {
            MediaError::refused(
                format!("The cookies cannot be read: {error}."),
                "Export them from a browser in Netscape's format, into a file that this server may read.",
            )
        })
    }
}
