//! Runs the sources of one partition that this instance owns.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tidemill::{Clock as _, SystemClock, transport::ProducerRecord};
use tidemill_chat::Told;
use tokio::sync::{mpsc, watch};

use crate::apps::live_insight::{CHAT, TRANSCRIPT};

use super::{
    ChatState, LiveSource, Progress, SpeechProgress, SpeechState, Wished,
    fold::{Folded, Part},
    inbox::{Update, What},
    shared::Shared,
    started::{Started, Starting},
    writer::{Replaced, Transaction, Writer},
};

/// How long to wait while the log cannot take more.
const PAUSE: Duration = Duration::from_millis(50);
/// The most events that are written together, unless one batch has more.
const TOGETHER: usize = 2_000;

/// The sources of a partition.
pub(super) struct Partition {
    shared: Arc<Shared>,
    number: i32,
    writer: Writer,
    /// The sources that this partition follows.
    sources: BTreeMap<String, LiveSource>,
    started: HashMap<String, Started>,
    progress: BTreeMap<String, Progress>,
    /// Runs whose chat was refused here. A new owner tries them again: its settings may be other ones.
    refused: HashSet<(String, i64)>,
    /// Runs whose speech was refused here.
    unheard: HashSet<(String, i64)>,
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
    let (sources, started, refused, unheard) = (BTreeMap::new(), HashMap::new(), HashSet::new(), HashSet::new());
    let mut partition = Partition { shared, number, writer, sources, started, progress, refused, unheard, inbox };
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
    match &update.what {
        What::Chat(Told::Events(batch)) => batch.events.len(),
        What::Chat(Told::State(_)) | What::Speech(_) => 1,
    }
}

impl Partition {
    /// Starts and stops chats and listening, so that they are as the sources wish.
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
                self.started.remove(id);
                if self.progress.get(id).is_none_or(|progress| progress.chat != state || progress.run != source.run) {
                    changed.push((id.clone(), Some(self.moved(id, source, state))));
                }
            } else if self.started.get(id).is_none_or(|started| started.run != source.run) {
                self.started.remove(id);
                changed.extend(self.start(id, source).map(|progress| (id.clone(), Some(progress))));
            }
        }
        // The end of an erased source is written, so that the eraser knows that nothing more comes.
        let known: HashSet<_> = self.started.keys().chain(self.progress.keys()).cloned().collect();
        for id in known.into_iter().filter(|id| !sources.contains_key(id)) {
            self.started.remove(&id);
            changed.push((id, None));
        }
        self.write(Vec::new(), changed).await
    }

    /// Starts the chat and the speech of a source, unless they are over. Returns the progress, if something is refused at
    /// once. A refused speech leaves the chat alone.
    fn start(&mut self, id: &str, source: &LiveSource) -> Option<Progress> {
        let place = source.place();
        let here = self.progress.get(id).filter(|progress| progress.place == place);
        let same_run = here.filter(|progress| progress.run == source.run);
        let run = (id.to_owned(), source.run);
        let mut started = Started::nothing(source.run);
        let starting = Starting { shared: &self.shared, id, source, progress: here, updates: &self.inbox };
        let (mut no_chat, mut no_speech) = (None, None);
        if same_run.is_some_and(|progress| progress.chat == ChatState::Ended) {
            started.end_chat();
        } else if !self.refused.contains(&run) {
            no_chat = started.start_chat(&starting).err();
        }
        let is_heard = same_run.and_then(|progress| progress.speech.as_ref());
        if is_heard.is_none_or(|speech| speech.state != SpeechState::Ended) && !self.unheard.contains(&run) {
            no_speech = started.start_speech(&starting).err();
        }
        if no_chat.is_some() {
            self.refused.insert(run.clone());
        }
        if no_speech.is_some() {
            self.unheard.insert(run);
        }
        if !started.is_idle() {
            self.started.insert(id.to_owned(), started);
        }
        if no_chat.is_none() && no_speech.is_none() {
            return None;
        }
        let mut progress = self.moved(id, source, no_chat.unwrap_or(ChatState::Resolving));
        if let Some(state) = no_speech {
            let now_ms = progress.since_ms;
            progress.speech.get_or_insert_with(|| SpeechProgress::new(now_ms)).turn(state, now_ms);
        }
        Some(progress)
    }

    /// The progress of a source in another state.
    fn moved(&self, id: &str, source: &LiveSource, chat: ChatState) -> Progress {
        let (before, place) = (self.progress.get(id), source.place());
        let same = before.filter(|before| before.place == place);
        let now_ms = SystemClock.now_ms();
        let mut speech = same.and_then(|before| before.speech.clone());
        if let Some(speech) = speech.as_mut().filter(|_| !self.shared.listens(source)) {
            speech.turn(SpeechState::Off, now_ms);
        }
        Progress {
            run: source.run,
            turn: before.map_or(0, |before| before.turn) + 1,
            place,
            position: same.and_then(|before| before.position.clone()),
            chat,
            since_ms: now_ms,
            messages: same.map_or(0, |before| before.messages),
            left_out: same.map_or(0, |before| before.left_out),
            speech,
        }
    }

    /// Writes what sources told, then lets them go on. What a source told that does not run any more is dropped: its
    /// position did not move, so it comes again.
    async fn take(&mut self, updates: Vec<Update>) -> Result<(), Replaced> {
        let (mut folded, mut waiting) = (Folded::default(), Vec::new());
        let arrival = self.shared.gate.arrival();
        for Update { stream_id, run, what, taken } in updates {
            let runs = self.started.get(&stream_id).is_some_and(|started| started.run == run);
            let Some(source) = self.sources.get(&stream_id).filter(|source| runs && source.run == run) else {
                continue;
            };
            let progress = folded.changed.remove(&stream_id).unwrap_or_else(|| {
                match self.progress.get(&stream_id).filter(|before| before.run == run) {
                    Some(before) => {
                        Progress { since_ms: before.since_ms, ..self.moved(&stream_id, source, before.chat.clone()) }
                    }
                    None => self.moved(&stream_id, source, ChatState::Resolving),
                }
            });
            folded.add(&self.shared.records, arrival, stream_id, progress, what);
            waiting.push(taken);
        }
        let Folded { records, changed, over, messages, segments } = folded;
        for (id, part, is_refused) in over {
            self.end(id, part, is_refused);
        }
        self.write(records, changed.into_iter().map(|(id, progress)| (id, Some(progress))).collect()).await?;
        for (topic, events) in [(CHAT, messages), (TRANSCRIPT, segments)].into_iter().filter(|(_, events)| *events > 0)
        {
            self.shared.gate.written(topic, events);
        }
        for taken in waiting {
            // A connection may have been stopped in the meantime.
            let _ = taken.send(());
        }
        Ok(())
    }

    /// Stops a part of a source that is over.
    fn end(&mut self, id: String, part: Part, is_refused: bool) {
        let Some(started) = self.started.get_mut(&id) else { return };
        let run = started.run;
        match part {
            Part::Chat => started.end_chat(),
            Part::Speech => started.end_speech(),
        }
        if started.is_idle() {
            self.started.remove(&id);
        }
        match part {
            Part::Chat if is_refused => drop(self.refused.insert((id, run))),
            Part::Speech if is_refused => drop(self.unheard.insert((id, run))),
            Part::Chat | Part::Speech => {}
        }
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
