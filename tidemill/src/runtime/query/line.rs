//! The line on which a stream thread takes queries.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::ThreadId,
};

use crossbeam_channel::Sender;

use super::QueryError;
use crate::{task::TaskStores, transport::Waker};

/// A query that runs on the stores of one thread's running tasks.
pub(crate) type StoreQuery = Box<dyn FnOnce(&[&TaskStores]) + Send>;

/// The waker that ends a thread's poll; `None` until the thread has a consumer.
pub(crate) type Bell = Arc<Mutex<Option<Waker>>>;

/// A line to one stream thread.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) thread: ThreadId,
    pub(crate) jobs: Sender<StoreQuery>,
    pub(crate) bell: Bell,
}

impl Line {
    /// Whether the caller is the thread at the other end. That thread must not wait for an answer.
    pub(crate) fn ends_here(&self) -> bool {
        std::thread::current().id() == self.thread
    }

    /// Sends a query to the thread.
    pub(super) fn send(&self, job: StoreQuery) -> Result<(), QueryError> {
        self.jobs.send(job).map_err(|_| QueryError::NotRunning)?;
        self.wake();
        Ok(())
    }

    /// Ends the thread's poll, so that it looks for work.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.bell.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.wake();
        }
    }
}
