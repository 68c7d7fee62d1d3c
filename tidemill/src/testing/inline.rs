//! Runs an application on the caller's thread until there is nothing left to do: for benchmarks.

use std::{sync::Arc, time::Duration};

use tidemill_state::BoxError;

use crate::{
    clock::SystemClock,
    config::StreamsConfig,
    runtime::{Prepared, StreamThread, ThreadStatus},
    topology::Topology,
    transport::Transport,
};

/// One production stream thread without a thread, under the system's clock: what it costs, it costs the caller.
#[doc(hidden)]
pub struct InlineStreams {
    thread: StreamThread,
}

impl InlineStreams {
    /// Checks everything, creates internal topics, and joins the group. Nothing is read yet.
    ///
    /// # Errors
    /// As [`Streams::start`](crate::Streams::start).
    pub fn start(topology: &Topology, config: StreamsConfig, transport: impl Transport) -> Result<Self, BoxError> {
        let clock = Arc::new(SystemClock);
        let app = Prepared::new(topology, config, Arc::new(transport), clock, "inline".to_owned())?;
        Ok(Self { thread: StreamThread::start(app, "inline-0".to_owned())? })
    }

    /// Restores, processes and commits until everything that the inputs hold is done.
    ///
    /// # Errors
    /// With the error that would have ended the thread.
    pub fn run_until_caught_up(&mut self) -> Result<ThreadStatus, BoxError> {
        // One turn without work may still be the one that joins, seeks or resumes.
        let mut quiet = 0;
        while quiet < 2 {
            let done = self.thread.step(Duration::ZERO)?;
            quiet = if done == 0 && self.thread.is_idle() { quiet + 1 } else { 0 };
        }
        self.thread.commit_now()?;
        Ok(self.thread.report())
    }

    /// Commits, and makes the stores survive a crash without a replay.
    ///
    /// # Errors
    /// With the error that would have ended the thread.
    pub fn close(self) -> Result<(), BoxError> {
        Ok(self.thread.close()?)
    }
}
