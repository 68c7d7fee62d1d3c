//! Where a stream thread takes questions.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::ThreadId,
};

use crossbeam_channel::Sender;

use super::QueryError;
use crate::{task::TaskStores, transport::Waker};

/// Something to do with the stores of one thread's running tasks.
pub(crate) type Job = Box<dyn FnOnce(&[&TaskStores]) + Send>;

/// A thread's own way out of its poll, once it has a consumer.
pub(crate) type Bell = Arc<Mutex<Option<Waker>>>;

/// A line to one stream thread.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) thread: ThreadId,
    pub(crate) jobs: Sender<Job>,
    pub(crate) bell: Bell,
}

impl Line {
    /// Whether this is the thread at its other end, which must not wait for an answer.
    pub(crate) fn ends_here(&self) -> bool {
        std::thread::current().id() == self.thread
    }

    /// Asks it.
    pub(super) fn send(&self, job: Job) -> Result<(), QueryError> {
        self.jobs.send(job).map_err(|_| QueryError::NotRunning)?;
        self.wake();
        Ok(())
    }

    /// Lets it look for what there is to do.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.bell.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake();
        }
    }
}
