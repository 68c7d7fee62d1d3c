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
///
/// ```
/// # use tidemill::{StreamsBuilder, StreamsConfig, transport::embedded::{EmbeddedLog, Entry}};
/// # let (log, builder) = (EmbeddedLog::in_memory(), StreamsBuilder::new());
/// # (log.create("lines", 1)?, log.create("shouted", 1)?);
/// use tidemill::testing::InlineStreams;
///
/// builder.stream::<String, String>("lines").map_values(|line| line.to_uppercase()).to("shouted");
/// log.append("lines", 0, ["hi", "you"].map(|line| Entry::new("ann", line, 0)))?;
/// let mut streams = InlineStreams::start(&builder.build()?, StreamsConfig::new("shout"), log.clone())?;
/// let status = streams.run_until_caught_up()?;
/// assert_eq!((status.tasks[0].records_processed, log.end_offsets("shouted")?), (2, vec![2]));
/// streams.close()?;
/// # Ok::<(), tidemill::state::BoxError>(())
/// ```
#[doc(hidden)]
pub struct InlineStreams {
    thread: StreamThread,
}

impl InlineStreams {
    /// Checks the topology, creates internal topics, and joins the group. Reads no records yet. See the example of
    /// [`InlineStreams`].
    ///
    /// # Errors
    ///
    /// As [`Streams::start`](crate::Streams::start).
    pub fn start(topology: &Topology, config: StreamsConfig, transport: impl Transport) -> Result<Self, BoxError> {
        let clock = Arc::new(SystemClock);
        let app = Prepared::new(topology, config, Arc::new(transport), clock, "inline".to_owned())?;
        Ok(Self { thread: StreamThread::start(app, ThreadName::new("inline", 0))? })
    }

    /// Restores, processes and commits until all input records are processed. See the example of [`InlineStreams`].
    ///
    /// # Errors
    ///
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

    /// Commits and flushes the stores, so they survive a crash without a replay. See the example of [`InlineStreams`].
    ///
    /// # Errors
    ///
    /// The error that would have ended the stream thread.
    pub fn close(self) -> Result<(), BoxError> {
        Ok(self.thread.close()?)
    }
}
