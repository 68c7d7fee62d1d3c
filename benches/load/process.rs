//! Runs the server as a process with its own data folder, measures it from outside, and kills it at the end.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tidemill_apps::apps::http_client;
use tokio::task::JoinHandle;

/// The server's time limit until all its tasks run.
const READY: Duration = Duration::from_mins(1);
/// The interval at which memory and disk are measured.
const SAMPLE: Duration = Duration::from_secs(1);
/// Ticks per second in `/proc/PID/stat`. The number is the same on every Linux.
const TICKS: f64 = 100.0;

/// A server: a started process, or a running server at a given address.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Option<(Child, TempDir)>,
    began: Option<Usage>,
}

#[derive(Clone, Copy)]
struct Usage {
    at: Instant,
    server_s: f64,
    own_s: f64,
}

/// How a server is started.
#[derive(Debug, Default)]
pub(crate) struct Launch {
    /// Settings, such as `live.window=10s`.
    pub(crate) settings: Vec<String>,
    /// Environment variables.
    pub(crate) variables: Vec<(&'static str, &'static str)>,
    /// The text of the configuration file.
    pub(crate) file: String,
}

/// The resources that the run used.
pub(crate) struct Used {
    pub(crate) wall_s: f64,
    pub(crate) server_s: f64,
    pub(crate) own_s: f64,
    pub(crate) peak_rss: u64,
}

/// Memory and disk, in bytes, at one second of the run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) second: u64,
    pub(crate) rss: u64,
    pub(crate) disk: u64,
    /// The machine's load average of the last minute. It includes other processes.
    pub(crate) load: f64,
}

impl Process {
    /// Uses the running server at `url`, or starts one.
    pub(crate) async fn start(url: Option<&str>, launch: &Launch) -> Result<Self> {
        let (address, child) = match url {
            Some(url) => {
                let address = url.trim_start_matches("http://").trim_end_matches('/');
                (address.parse().with_context(|| format!("{url}: write it as http://127.0.0.1:8080"))?, None)
            }
            None => {
                let (address, child, folder) = spawn(launch)?;
                (address, Some((child, folder)))
            }
        };
        let process = Self { address, child, began: None };
        process.ready().await?;
        Ok(process)
    }

    async fn ready(&self) -> Result<()> {
        let (http, started) = (http_client(READY)?, Instant::now());
        let url = format!("http://{}/readyz", self.address);
        while !http.get(&url).send().await?.status().is_success() {
            if started.elapsed() > READY {
                bail!("the server is not ready: its tasks do not run");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Starts the measurement of CPU time.
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.began = Some(self.usage()?);
        Ok(())
    }

    fn usage(&self) -> Result<Usage> {
        let server_s = self.pid().map_or(Ok(0.0), |pid| cpu_s(&pid.to_string()))?;
        Ok(Usage { at: Instant::now(), server_s, own_s: cpu_s("self")? })
    }

    fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(|(child, _)| child.id())
    }

    /// Takes one sample per second.
    pub(crate) fn watch(&self, length: Duration) -> JoinHandle<Vec<Sample>> {
        let watched = self.child.as_ref().map(|(child, folder)| (child.id(), folder.path().to_owned()));
        tokio::task::spawn_blocking(move || {
            let (started, mut samples) = (Instant::now(), Vec::new());
            let Some((pid, folder)) = watched else { return samples };
            while started.elapsed() < length {
                std::thread::sleep(SAMPLE.min(length.saturating_sub(started.elapsed())));
                let rss = status(pid, "VmRSS").unwrap_or(0);
                let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
                let load = load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0);
                samples.push(Sample { second: started.elapsed().as_secs(), rss, disk: bytes_below(&folder), load });
            }
            samples
        })
    }

    /// The resources used since the measurement began.
    pub(crate) fn used(&self) -> Result<Used> {
        let (began, now) = (self.began.context("it has begun")?, self.usage()?);
        let peak_rss = self.pid().and_then(|pid| status(pid, "VmHWM")).unwrap_or(0);
        let wall_s = (now.at - began.at).as_secs_f64();
        Ok(Used { wall_s, server_s: now.server_s - began.server_s, own_s: now.own_s - began.own_s, peak_rss })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.child {
            // An error means that the process has already ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn spawn(launch: &Launch) -> Result<(SocketAddr, Child, TempDir)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("load.toml");
    fs::write(&file, &launch.file)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path().join("data"));
    command.arg("--config").arg(file).envs(launch.variables.iter().copied());
    for set in &launch.settings {
        command.args(["--set", set]);
    }
    let mut child = command.stderr(Stdio::piped()).spawn().context("the server cannot be started")?;
    let mut lines = BufReader::new(child.stderr.take().context("stderr is piped")?).lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.split("http://").nth(1)?.split(',').next()?.parse().ok());
    let address = address.context("the server does not say where it listens")?;
    // Shows the server's warnings.
    std::thread::spawn(move || lines.filter(|line| line.contains(" WARN ")).for_each(|line| eprintln!("{line}")));
    Ok((address, child, folder))
}

/// CPU time of a process in seconds: user time and system time.
fn cpu_s(pid: &str) -> Result<f64> {
    Ok(cpu(pid).context("the server has ended")?.own_s)
}

/// CPU time of a process.
pub(crate) struct Cpu {
    /// Its own, in seconds.
    pub(crate) own_s: f64,
    /// That of programs that it started and that have ended, in seconds.
    #[allow(dead_code, reason = "the benchmark of sources counts FFmpeg, and this one starts no programs")]
    pub(crate) waited_s: f64,
}

/// CPU time of a process; `None` if it has ended.
pub(crate) fn cpu(pid: &str) -> Option<Cpu> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The process name may contain spaces, so parsing starts after its closing parenthesis.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(4).map_while(|field| field.parse().ok()).collect();
    let [user, system, waited_user, waited_system] = ticks[..] else { return None };
    Some(Cpu { own_s: (user + system) / TICKS, waited_s: (waited_user + waited_system) / TICKS })
}

/// The value of a line of `/proc/PID/status`, in bytes.
pub(crate) fn status(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The size of all files below a folder, in bytes. Files may disappear during the walk.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let bytes = entries.filter_map(|entry| {
        let about = entry.metadata().ok()?;
        Some(if about.is_dir() { bytes_below(&entry.path()) } else { about.len() })
    });
    bytes.sum()
}
