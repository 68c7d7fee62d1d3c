//! A connection that runs in a task of its own.

use futures_util::future::BoxFuture;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::JoinHandle,
};

use crate::{Batch, ChatError, Connection};

/// Runs a loop in a task and hands its batches on, one at a time: the loop stops while nobody takes the last batch.
/// Dropping the pump ends the task.
///
/// With it, a platform writes a plain loop and need not think about futures that are dropped.
#[derive(Debug)]
pub struct Pump {
    batches: Receiver<Result<Batch, ChatError>>,
    task: JoinHandle<()>,
}

/// Where a loop puts its batches.
#[derive(Debug, Clone)]
pub struct Outlet(Sender<Result<Batch, ChatError>>);

impl Outlet {
    /// Hands a batch on. Waits until the batch before it was taken. Returns an error if the connection was dropped.
    pub async fn put(&self, batch: Batch) -> Result<(), ChatError> {
        self.0.send(Ok(batch)).await.map_err(|_| ChatError::transient("nobody reads the chat any more"))
    }
}

impl Pump {
    /// Runs a loop until it fails, or until it returns because the chat is over.
    pub fn run<F, Work>(work: F) -> Self
    where
        F: FnOnce(Outlet) -> Work,
        Work: Future<Output = Result<(), ChatError>> + Send + 'static,
    {
        let (sender, batches) = mpsc::channel(1);
        let work = work(Outlet(sender.clone()));
        let task = tokio::spawn(async move {
            let last = match work.await {
                Ok(()) => Ok(Batch { ended: true, ..Batch::default() }),
                Err(error) => Err(error),
            };
            let _ = sender.send(last).await;
        });
        Self { batches, task }
    }
}

impl Connection for Pump {
    fn next(&mut self) -> BoxFuture<'_, Result<Batch, ChatError>> {
        Box::pin(async {
            let gone = || Err(ChatError::transient("the connection ended without a reason"));
            self.batches.recv().await.unwrap_or_else(gone)
        })
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The connection of a chat that is over already.
pub(crate) fn over() -> Box<dyn Connection> {
    Box::new(Pump::run(|_| async { Ok(()) }))
}
