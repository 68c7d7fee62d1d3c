//! What a task reads of a stream, a little ahead of the caller.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::audio::AudioState;
use crate::error::MediaError;

/// Where the task puts what it read.
pub(crate) type Sender<T> = mpsc::Sender<Result<T, MediaError>>;

/// What a task reads. Dropping it stops the task.
#[derive(Debug)]
pub(crate) struct Feed<T> {
    items: mpsc::Receiver<Result<T, MediaError>>,
    state: watch::Receiver<AudioState>,
    task: JoinHandle<()>,
    over: Option<MediaError>,
}

impl<T: Send + 'static> Feed<T> {
    /// Begins to read, at most `ahead` items ahead. Must be called within a tokio runtime.
    pub(crate) fn spawn<W>(ahead: usize, read: impl FnOnce(Sender<T>, watch::Sender<AudioState>) -> W) -> Self
    where
        W: Future<Output = Result<(), MediaError>> + Send + 'static,
    {
        let (sender, items) = mpsc::channel(ahead.max(1));
        let (told, state) = watch::channel(AudioState::Connecting);
        let work = read(sender.clone(), told.clone());
        let task = tokio::spawn(async move {
            let error = work.await.err().unwrap_or(MediaError::Ended);
            told.send_replace(AudioState::Ended);
            // The caller may be gone.
            let _ = sender.send(Err(error)).await;
        });
        Self { items, state, task, over: None }
    }

    /// Waits for the next item. Cancel safe.
    ///
    /// # Errors
    /// [`MediaError::Ended`] at the end. An error is returned on every further call.
    pub(crate) async fn next(&mut self) -> Result<T, MediaError> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        let next = self.items.recv().await;
        let next = next.unwrap_or_else(|| Err(MediaError::transient("The reader of the stream stopped.")));
        self.over = next.as_ref().err().cloned();
        next
    }

    /// What the task does right now.
    pub(crate) fn state(&self) -> AudioState {
        self.state.borrow().clone()
    }

    /// Tells each change of its state.
    pub(crate) fn states(&self) -> watch::Receiver<AudioState> {
        self.state.clone()
    }
}

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
