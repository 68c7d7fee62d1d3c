//! Runs the sources of one partition that this instance owns.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tidemill::{
    Clock as _, SystemClock,
    transport::{ProducerRecord, Transport},
};
use tidemill_chat::{Batch, Supervised, Told};
use tidemill_schemas::Arrival;
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

use crate::apps::live_insight::CHAT;

use super::{
    ChatState, Guard, LiveSource, Platforms, Progress, View, Wished,
    connection::{self, Update, supervision},
    events::Records,
    guard::Guarded,
    writer::{Replaced, Transaction, Writer},
};

/// How long to wait while the log cannot take more.
const PAUSE: Duration = Duration::from_millis(50);
/// The most events that are written together, unless one batch has more.
const TOGETHER: usize = 2_000;

/// Says whether the log can take more, and counts what was written.
pub trait Gate: Send + Sync {
    /// Whether live insight can take so many records now.
    fn admits(&self, records: usize) -> bool;
    /// Counts messages that were written on a topic.
    fn written(&self, topic: &'static str, messages: u64);
    /// The clock that events are checked against.
    fn arrival(&self) -> Arrival;
}

/// What the partitions of an instance share.
pub(super) struct Shared {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) platforms: Platforms,
    pub(super) guard: Guard,
    pub(super) gate: Arc<dyn Gate>,
    pub(super) view: Arc<View>,
    pub(super) records: Arc<Records>,
}

/// A running connection.
struct Connected {
    run: i64,
    task: AbortHandle,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The sources of a partition.
pub(super) struct Partition {
    shared: Arc<Shared>,
    number: i32,
    writer: Writer,
    /// The sources that this partition follows.
    sources: BTreeMap<String, LiveSource>,
    connected: HashMap<String, Connected>,
    progress: BTreeMap<String, Progress>,
    /// Runs that a platform refused here. A new owner tries them again: its settings may be other ones.
    refused: HashSet<(String, i64)>,
    inbox: mpsc::Sender<Update>,
}

/// Runs the sources of a partition until `stop`.
///
/// # Errors
/// If another owner took over.
pub(super) async fn run(shared: Arc<Shared>, number: i32, mut stop: watch::Receiver<bool>) -> Result<(), Replaced> {
    let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
    tokio::select! {
        biased;
        () = stopped => Ok(()),
        ended = work(shared, number) => ended,
    }
}

async fn work(shared: Arc<Shared>, number: i32) -> Result<(), Replaced> {
    let mut changes = shared.view.changes_of_sources();
    // Most partitions have no sources most of the time. They need no producer.
    while !shared.view.is_ready()
        || (shared.view.sources_of(number).is_empty() && shared.view.progress_of(number).is_empty())
    {
        if changes.changed().await.is_err() {
            return Ok(());
        }
    }
    let writer = Writer::spawn(shared.clone(), number);
    let writer = writer.map_err(|error| {
        tracing::error!(%error, "no thread can be started for sources");
        Replaced
    })?;
    let progress = writer.open().await?;
    let (inbox, mut updates) = mpsc::channel(64);
    let (sources, connected, refused) = (BTreeMap::new(), HashMap::new(), HashSet::new());
    let mut partition = Partition { shared, number, writer, sources, connected, progress, refused, inbox };
    partition.follow().await?;
    loop {
        tokio::select! {
            changed = changes.changed() => match changed {
                Ok(()) => partition.follow().await?,
                Err(_) => return Ok(()),
            },
            Some(update) = updates.recv() => {
                let mut together = vec![update];
                let mut events = size(&together[0]);
                while events < TOGETHER && let Ok(update) = updates.try_recv() {
                    events += size(&update);
                    together.push(update);
                }
                partition.take(together).await?;
            }
        }
    }
}

fn size(update: &Update) -> usize {
    match &update.told {
        Told::Events(batch) => batch.events.len(),
        Told::State(_) => 1,
    }
}

impl Partition {
    /// Starts and stops connections, so that they are as the sources wish.
    async fn follow(&mut self) -> Result<(), Replaced> {
        self.sources = self.shared.view.sources_of(self.number);
        let sources = self.sources.clone();
        let mut changed = Vec::new();
        for (id, source) in &sources {
            let halted = match source.wished {
                Wished::Running => None,
                Wished::Paused => Some(ChatState::Paused),
                Wished::Stopped => Some(ChatState::Stopped),
            };
            if let Some(state) = halted {
                self.connected.remove(id);
                if self.progress.get(id).is_none_or(|progress| progress.chat != state || progress.run != source.run) {
                    changed.push((id.clone(), Some(self.moved(id, source, state))));
                }
            } else if self.connected.get(id).is_none_or(|connected| connected.run != source.run)
                && self.should_run(id, source)
            {
                self.connected.remove(id);
                match self.connect(id, source) {
                    Ok(connected) => drop(self.connected.insert(id.clone(), connected)),
                    Err(state) => {
                        self.refused.insert((id.clone(), source.run));
                        changed.push((id.clone(), Some(self.moved(id, source, state))));
                    }
                }
            }
        }
        // The end of an erased source is written, so that the eraser knows that nothing more comes.
        let known: HashSet<_> = self.connected.keys().chain(self.progress.keys()).cloned().collect();
        for id in known.into_iter().filter(|id| !sources.contains_key(id)) {
            self.connected.remove(&id);
            changed.push((id, None));
        }
        self.write(Vec::new(), changed).await
    }

    /// Whether a source that should run is not over.
    fn should_run(&self, id: &str, source: &LiveSource) -> bool {
        let is_over = self.progress.get(id).is_some_and(|progress| {
            progress.run == source.run && progress.place == source.place() && progress.chat == ChatState::Ended
        });
        !is_over && !self.refused.contains(&(id.to_owned(), source.run))
    }

    fn connect(&self, id: &str, source: &LiveSource) -> Result<Connected, ChatState> {
        let Some(platform) = self.shared.platforms.named(&source.platform) else {
            let names = self.shared.platforms.names().collect::<Vec<_>>().join(", ");
            return Err(ChatState::Refused {
                reason: format!("this server does not know the platform {}", source.platform),
                remedy: format!("send the address again, with one of: {names}"),
            });
        };
        let position = self.progress.get(id).filter(|progress| progress.place == source.place());
        let position = position.and_then(|progress| progress.position.clone());
        let guarded = Arc::new(Guarded { platform, guard: self.shared.guard });
        let chat = Supervised::new(guarded, source.source(), position, supervision(id));
        let work = connection::run(chat, id.to_owned(), source.run, self.inbox.clone());
        Ok(Connected { run: source.run, task: tokio::spawn(work).abort_handle() })
    }

    /// The progress of a source in another state.
    fn moved(&self, id: &str, source: &LiveSource, chat: ChatState) -> Progress {
        let (before, place) = (self.progress.get(id), source.place());
        let same = before.filter(|before| before.place == place);
        Progress {
            run: source.run,
            turn: before.map_or(0, |before| before.turn) + 1,
            place,
            position: same.and_then(|before| before.position.clone()),
            chat,
            since_ms: SystemClock.now_ms(),
            messages: same.map_or(0, |before| before.messages),
            left_out: same.map_or(0, |before| before.left_out),
        }
    }

    /// Writes what connections told, then lets them go on. What a connection told that does not run any more is
    /// dropped: its position did not move, so it comes again.
    async fn take(&mut self, updates: Vec<Update>) -> Result<(), Replaced> {
        let (mut records, mut changed, mut waiting, mut messages) = (Vec::new(), BTreeMap::new(), Vec::new(), 0);
        let arrival = self.shared.gate.arrival();
        for Update { stream_id, run, told, taken } in updates {
            let runs = self.connected.get(&stream_id).is_some_and(|connected| connected.run == run);
            let Some(source) = self.sources.get(&stream_id).filter(|source| runs && source.run == run) else {
                continue;
            };
            let mut progress: Progress = changed.remove(&stream_id).unwrap_or_else(|| {
                match self.progress.get(&stream_id).filter(|before| before.run == run) {
                    Some(before) => {
                        Progress { since_ms: before.since_ms, ..self.moved(&stream_id, source, before.chat.clone()) }
                    }
                    None => self.moved(&stream_id, source, ChatState::Resolving),
                }
            });
            match told {
                Told::State(state) => (progress.chat, progress.since_ms) = (state.into(), arrival.now_ms),
                Told::Events(Batch { events, position, ended }) => {
                    let made = self.shared.records.of(&stream_id, events, arrival);
                    records.extend(made.records);
                    messages += made.messages;
                    progress.messages += made.messages;
                    progress.left_out += made.left_out;
                    progress.position = position.or(progress.position.take());
                    if ended {
                        (progress.chat, progress.since_ms) = (ChatState::Ended, arrival.now_ms);
                    }
                }
            }
            changed.insert(stream_id, progress);
            waiting.push(taken);
        }
        for (id, progress) in &changed {
            match progress.chat {
                ChatState::Refused { .. } => drop(self.refused.insert((id.clone(), progress.run))),
                ChatState::Ended => {}
                _ => continue,
            }
            self.connected.remove(id);
        }
        self.write(records, changed.into_iter().map(|(id, progress)| (id, Some(progress))).collect()).await?;
        self.shared.gate.written(CHAT, messages);
        for taken in waiting {
            // A connection may have been stopped in the meantime.
            let _ = taken.send(());
        }
        Ok(())
    }

    /// Writes records and progress together, when the log can take them.
    async fn write(
        &mut self,
        mut records: Vec<ProducerRecord>,
        changed: Vec<(String, Option<Progress>)>,
    ) -> Result<(), Replaced> {
        if changed.is_empty() {
            return Ok(());
        }
        while !records.is_empty() && !self.shared.gate.admits(records.len()) {
            tokio::time::sleep(PAUSE).await;
        }
        let now_ms = SystemClock.now_ms();
        let made = changed.iter().map(|(id, progress)| self.shared.records.progress(id, progress.as_ref(), now_ms));
        records.extend(made);
        let witness = changed.iter().find_map(|(id, progress)| Some((id.clone(), progress.as_ref()?.turn)));
        self.writer.write(Transaction { records, witness }).await?;
        for (id, progress) in changed {
            match progress {
                Some(progress) => drop(self.progress.insert(id, progress)),
                None => drop(self.progress.remove(&id)),
            }
        }
        Ok(())
    }
}
