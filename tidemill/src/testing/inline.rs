//! Runs an application on the caller's thread until no work is left. Made for benchmarks.

use std::{sync::Arc, time::Duration};

use tidemill_state::BoxError;

use crate::{
    clock::SystemClock,
    config::StreamsConfig,
    names::ThreadName,
    runtime::{Prepared, StreamThread, ThreadStatus},
    topology::Topology,
    transport::Transport,
};

/// A production stream thread that runs on the caller's thread, with the system clock. The caller's time is therefore
/// the cost of the application.
#[doc(hidden)]
pub struct InlineStreams {
    thread: StreamThread,
}

impl InlineStreams {
    /// Checks the topology, creates internal topics, and joins the group. Reads no records yet.
    ///
    /// # Errors
    /// As [`Streams::start`](crate::Streams::start).
    pub fn start(topology: &Topology, config: StreamsConfig, transport: impl Transport) -> Result<Self, BoxError> {
        let clock = Arc::new(SystemClock);
        let app = Prepared::new(topology, config, Arc::new(transport), clock, "inline".to_owned())?;
        Ok(Self { thread: StreamThread::start(app, ThreadName::new("inline", 0))? })
    }

    /// Restores, processes and commits until all input records are processed.
    ///
    /// # Errors
    /// The error that would have ended the stream thread.
    pub fn run_until_caught_up(&mut self) -> Result<ThreadStatus, BoxError> {
        // A turn without work may still be a turn that joins the group, seeks or resumes.
        let mut quiet = 0;
        while quiet < 2 {
            let done = self.thread.step(Duration::ZERO)?;
            quiet = if done == 0 && self.thread.is_idle() { quiet + 1 } else { 0 };
        }
        self.thread.commit_now()?;
        Ok(self.thread.report())
    }

    /// Commits and flushes the stores, so they survive a crash without a replay.
    ///
    /// # Errors
    /// The error that would have ended the stream thread.
    pub fn close(self) -> Result<(), BoxError> {
        Ok(self.thread.close()?)
    }
}
