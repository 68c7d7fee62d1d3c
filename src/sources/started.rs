//! Starts what a source runs, and stops it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tidemill_chat::Supervised;
use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    ChatState, LiveSource, Progress, SpeechProgress, SpeechState,
    connection::{self, seed, supervision},
    guard::Guarded,
    inbox::{Inbox, Update},
    shared::Shared,
    speech::{Listening, Wish},
};

/// What runs of a source. Dropping it stops everything.
pub(super) struct Started {
    pub(super) run: i64,
    chat: Option<Task>,
    speech: Option<Task>,
    chat_is_over: Arc<AtomicBool>,
}

/// A task that stops when it is dropped.
struct Task(AbortHandle);

impl Task {
    fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work).abort_handle())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A source that is started.
pub(super) struct Starting<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) id: &'a str,
    pub(super) source: &'a LiveSource,
    /// What is known of the source at this address.
    pub(super) progress: Option<&'a Progress>,
    pub(super) updates: &'a mpsc::Sender<Update>,
}

impl Started {
    /// Nothing of a source yet.
    pub(super) fn nothing(run: i64) -> Self {
        Self { run, chat: None, speech: None, chat_is_over: Arc::default() }
    }

    /// Notes that the chat is over.
    pub(super) fn end_chat(&mut self) {
        self.chat = None;
        self.chat_is_over.store(true, Ordering::SeqCst);
    }

    /// Notes that there is nothing more to hear.
    pub(super) fn end_speech(&mut self) {
        self.speech = None;
    }

    /// Whether nothing runs.
    pub(super) fn is_idle(&self) -> bool {
        self.chat.is_none() && self.speech.is_none()
    }

    /// Starts the chat.
    ///
    /// # Errors
    /// The state that says why it cannot be read.
    pub(super) fn start_chat(&mut self, starting: &Starting<'_>) -> Result<(), ChatState> {
        let Starting { shared, id, source, progress, .. } = starting;
        let Some(platform) = shared.platforms.named(&source.platform) else {
            let names = shared.platforms.names().collect::<Vec<_>>().join(", ");
            return Err(ChatState::Refused {
                reason: format!("this server does not know the platform {}", source.platform),
                remedy: format!("send the address again, with one of: {names}"),
            });
        };
        let position = progress.and_then(|progress| progress.position.clone());
        let guarded = Arc::new(Guarded { platform, guard: shared.guard });
        let chat = Supervised::new(guarded, source.source(), position, supervision(id));
        self.chat = Some(Task::spawn(connection::run(chat, starting.inbox())));
        Ok(())
    }

    /// Starts to listen, if this server does.
    ///
    /// # Errors
    /// The state that says why it cannot be heard.
    pub(super) fn start_speech(&mut self, starting: &Starting<'_>) -> Result<(), SpeechState> {
        let Starting { shared, id, source, progress, .. } = starting;
        let Some(speech) = shared.speech.clone() else { return Ok(()) };
        let Some(wish) = Wish::of(source, &speech)? else { return Ok(()) };
        let before = progress.and_then(|progress| progress.speech.as_ref());
        let (origin_ms, position_ms) = match before {
            Some(SpeechProgress { origin_ms, position_ms, .. }) => (*origin_ms, *position_ms),
            None => (shared.gate.arrival().now_ms, None),
        };
        let listening = Listening {
            speech,
            guard: shared.guard,
            gate: shared.gate.clone(),
            wish,
            origin_ms,
            position_ms,
            is_over: self.chat_is_over.clone(),
            seed: seed(id),
            inbox: starting.inbox(),
        };
        self.speech = Some(Task::spawn(listening.run()));
        Ok(())
    }
}

impl Starting<'_> {
    fn inbox(&self) -> Inbox {
        Inbox { stream_id: self.id.to_owned(), run: self.source.run, updates: self.updates.clone() }
    }
}
