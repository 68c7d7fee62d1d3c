//! A program that runs.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::error::MediaError;
use crate::process::{Exit, Program};

/// How many lines of its standard error are kept, and how many bytes of each.
const LINES: usize = 12;
const LINE_BYTES: usize = 500;

/// A program that runs. Dropping it kills it and all that it started.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    /// Also the process group's.
    pid: Option<u32>,
    lines: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts a command of `program`. The last lines of its standard error are kept.
    ///
    /// # Errors
    /// [`MediaError::Missing`] where the program is not there; [`MediaError::Failed`] where it does not start.
    pub fn start(program: &Program, mut command: Command) -> Result<Self, MediaError> {
        if !program.path().is_file() {
            return Err(Program::missing(program.name()));
        }
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Program::missing(program.name()),
            _ => MediaError::Failed {
                program: program.name().to_owned(),
                reason: format!("it could not be started: {error}"),
                remedy: "Check that the file may be executed, and that this machine may start more processes.".into(),
            },
        })?;
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let reader = child.stderr.take().map(|stderr| tokio::spawn(keep_last_lines(stderr, Arc::clone(&lines))));
        Ok(Self { name: program.name().to_owned(), pid: child.id(), child, lines, reader })
    }

    /// The id of its process, and of its process group.
    pub fn id(&self) -> Option<u32> {
        self.pid
    }

    /// What it reads, where the command pipes it. Once.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// What it writes, where the command pipes it. Once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The last lines of its standard error so far.
    pub fn last_lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Waits until it ended, then kills what it left behind.
    ///
    /// # Errors
    /// [`MediaError::Transient`] where the system cannot wait for it.
    pub async fn wait(&mut self) -> Result<Exit, MediaError> {
        let status = self.child.wait().await;
        // What it started may still hold its standard error open.
        self.kill();
        if let Some(reader) = self.reader.as_mut() {
            let _ = tokio::time::timeout(Duration::from_secs(1), reader).await;
            self.reader = None;
        }
        self.pid = None;
        let status =
            status.map_err(|error| MediaError::transient(format!("cannot wait for {}: {error}", self.name)))?;
        Ok(Exit::new(&self.name, status, self.last_lines()))
    }

    /// Kills it and all that it started, at once.
    pub fn kill(&mut self) {
        if let Some(group) = self.pid.and_then(|pid| Pid::from_raw(pid as i32)) {
            // A group that has ended is not an error.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        if let Some(reader) = self.reader.take() {
            reader.abort();
        }
    }
}

async fn keep_last_lines(stderr: ChildStderr, lines: Arc<Mutex<VecDeque<String>>>) {
    read_lines(stderr, |line| {
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    })
    .await;
}

/// Gives each line to `take`, cut to [`LINE_BYTES`]: a program that never ends a line must not fill the memory.
pub(crate) async fn read_lines(mut input: impl AsyncRead + Unpin, mut take: impl FnMut(String)) {
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = input.read(&mut buffer).await.unwrap_or(0);
        for &byte in &buffer[..count] {
            // Progress ends with a carriage return.
            if byte != b'\n' && byte != b'\r' {
                if line.len() < LINE_BYTES {
                    line.push(byte);
                }
            } else if !line.is_empty() {
                take(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
        }
        if count == 0 {
            if !line.is_empty() {
                take(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            return;
        }
    }
}
