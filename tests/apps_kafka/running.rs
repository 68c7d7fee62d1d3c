//! The binary as a process of its own.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

/// The command, with windows of ten seconds.
pub(crate) fn tidemill(brokers: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["--brokers", brokers, "--listen", "127.0.0.1:0", "--set", "run.partitions=4"]);
    // Silence must not close windows: how slow the machine is shall make no difference.
    command.args(["--set", "live.window=10s", "--set", "live.grace=1s", "--set", "live.idle_after=1h"]);
    command.args(["--set", "coach.window=10s", "--set", "coach.grace=1s", "--set", "coach.idle_after=1h"]);
    // Brokers delete by event time.
    command.args(["--set", "data.raw_retention=3650d", "--set", "data.result_retention=3650d"]);
    command.args(["--set", "kafka.transaction_timeout=3s"]);
    command.stderr(Stdio::piped());
    command
}

/// A server of its own; killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) url: String,
    data: TempDir,
}

impl Running {
    pub(crate) fn start(brokers: &str, arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"), brokers, arguments)
    }

    /// With the state of one that ended.
    pub(crate) fn start_in(data: TempDir, brokers: &str, arguments: &[&str]) -> Self {
        let mut command = tidemill(brokers);
        let mut child = command.args(arguments).arg("--data-dir").arg(data.path()).spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(format!("http://{}", line.split("http://").nth(1)?.split(',').next()?)))
            .expect("it says where it listens");
        // Nobody reads further, but the pipe must not fill.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url, data }
    }

    /// SIGKILL: nothing is flushed, nothing is closed, and the group only finds out in time. Gives what is left.
    pub(crate) fn kill(mut self) -> TempDir {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("and ends");
        std::mem::replace(&mut self.data, tempfile::tempdir().expect("a folder"))
    }

    /// As an administrator would, so that it leaves its groups.
    pub(crate) fn stop(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().expect("it can be asked");
        assert!(asked.success() && self.child.wait().expect("it ends").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
