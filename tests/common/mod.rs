//! What the tests share.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod recordings;

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// The binary as a process of its own; killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) url: String,
}

impl Running {
    /// Starts it, and waits until it says where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = Vec::new();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .inspect(|line| said.push(line.clone()))
            .find_map(|line| Some(format!("http://{}", line.split("http://").nth(1)?.split(',').next()?)))
            .unwrap_or_else(|| panic!("it does not say where it listens, but: {said:?}"));
        // Nobody reads further, but the pipe must not fill.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }

    /// SIGKILL: nothing is flushed, nothing is closed, and a group only finds out in time.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("and ends");
    }

    /// As an administrator would, so that it leaves its groups.
    pub(crate) fn stop(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().expect("it can be asked");
        assert!(asked.success() && self.child.wait().expect("it ends").success());
    }

    /// Asks twice, one right after the other, as a terminal and a supervisor do. Returns how it ended.
    pub(crate) fn stop_twice(mut self) -> ExitStatus {
        for _ in 0..2 {
            let asked = Command::new("kill").arg(self.child.id().to_string()).status().expect("it can be asked");
            assert!(asked.success(), "it has not ended yet");
        }
        self.child.wait().expect("it ends")
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it can be asked")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until it holds, for so long at most.
pub(crate) async fn until(patience: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(patience, wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}
