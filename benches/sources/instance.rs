//! A server in a process of its own, and the figures of it and of the programs that it started.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tidemill_apps::apps::http_client;

use crate::{process, serve};

/// The server's time limit to begin and to close.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server that is killed when it is dropped.
pub(crate) struct Instance {
    child: Child,
    address: SocketAddr,
    http: reqwest::Client,
}

/// CPU time and memory of a server with its programs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) server_s: f64,
    pub(crate) server_rss: u64,
    pub(crate) programs_s: f64,
    pub(crate) programs_rss: u64,
}

impl Instance {
    /// The server of a soak.
    pub(crate) async fn of_soak(stage: &serve::Stage) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").env(serve::STAGE, serde_json::to_string(stage)?);
        Self::start(command).await
    }

    /// Starts a server, and waits until it takes streams.
    pub(crate) async fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stderr.take().context("stderr is piped")?).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.split("http://").nth(1)?.split(',').next()?.parse().ok());
        let address = address.context("the server does not say where it listens")?;
        // What the server warns of is expected; what it fails of is not.
        std::thread::spawn(move || lines.filter(|line| line.contains("ERROR")).for_each(|line| eprintln!("{line}")));
        let instance = Self { child, address, http: http_client(Duration::from_secs(30))? };
        let (started, url) = (Instant::now(), instance.url("/v1/streams/nobody"));
        while instance.http.get(&url).send().await?.status() == 503 {
            ensure!(started.elapsed() < PATIENCE, "the server does not take streams");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(instance)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends the address of a stream.
    pub(crate) async fn start_stream(&self, id: &str, url: &str, options: Value) -> Result<()> {
        let asked = json!({ "url": url, "stream_id": id, "options": options });
        let response = self.http.post(self.url("/v1/streams")).json(&asked).send().await?;
        let status = response.status();
        ensure!(status == 201, "the stream {id} was answered with {status}: {}", response.text().await?);
        Ok(())
    }

    /// A source as the server shows it.
    pub(crate) async fn source(&self, id: &str) -> Result<Value> {
        let answer: Value = self.http.get(self.url(&format!("/v1/streams/{id}"))).send().await?.json().await?;
        Ok(answer["source"].clone())
    }

    /// How many messages of a stream the insights count so far.
    pub(crate) async fn counted(&self, id: &str) -> Result<u64> {
        let answer: Value =
            self.http.get(self.url(&format!("/v1/streams/{id}/frame?last=all"))).send().await?.json().await?;
        // Before the first insight, the answer is a refusal.
        Ok(answer["insight"]["chats"].as_u64().unwrap_or(0))
    }

    /// What the server and its programs used so far.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let pid = self.child.id();
        let own = process::cpu(&pid.to_string()).context("the server has ended")?;
        let mut usage = Usage {
            server_s: own.own_s,
            server_rss: process::status(pid, "VmRSS").unwrap_or(0),
            programs_s: own.waited_s,
            programs_rss: 0,
        };
        for program in descendants(pid) {
            // A program may end in the meantime.
            let Some(cpu) = process::cpu(&program.to_string()) else { continue };
            usage.programs_s += cpu.own_s + cpu.waited_s;
            usage.programs_rss += process::status(program, "VmRSS").unwrap_or(0);
        }
        Ok(usage)
    }

    /// Closes the server in order.
    pub(crate) async fn close(mut self) -> Result<()> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(asked.success(), "the server has ended before it was asked to");
        let started = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the server ended with {status}"),
                None => ensure!(started.elapsed() < PATIENCE, "the server does not close"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // An error means that the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The programs that a process started, and those that they started.
fn descendants(pid: u32) -> Vec<u32> {
    let mut children = HashMap::<u32, Vec<u32>>::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok) {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        children.entry(parent.unwrap_or(0)).or_default().push(child);
    }
    let mut found = children.remove(&pid).unwrap_or_default();
    let mut next = 0;
    while let Some(program) = found.get(next).copied() {
        found.extend(children.remove(&program).unwrap_or_default());
        next += 1;
    }
    found
}
