//! The member thread, one per instance: it exchanges heartbeats with the other instances, and keeps standbys.
//!
//! Exactly-once does not depend on this thread. If it fails, the instance goes on, and the thread tries again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::{
    clock::millis,
    error::TaskError,
    members::{Member, standbys_of},
    plan::TaskId,
    runtime::{Prepared, TICK},
    task::{ChangelogBounds, changelog_bounds},
    transport::{
        Fetched, Headers, Offset, Producer, ProducerConfig, ProducerRecord, Reader, Topic, TopicPartition,
        TransportError, Watermarks,
    },
};

/// Changelog records that one turn applies at most.
const BATCH: usize = 5_000;

/// Records of the members topic that one turn reads at most.
const HEARD: usize = 1_000;

/// The pause after an error of the log or of a store.
const RETRY_MS: i64 = 200;

/// How many heartbeats an instance sends within the member time-out.
const HEARTBEATS: u32 = 5;

/// The record of an instance is deleted after this time without a heartbeat.
const FORGOTTEN_MS: i64 = 24 * 3_600_000;

/// The member thread. `step` is one turn of its loop, so a simulation can run single turns.
pub(crate) struct MemberThread {
    app: Prepared,
    topic: TopicPartition,
    clients: Option<Clients>,
    /// The last member record sent, and the time of sending.
    said: Option<(Member, i64)>,
    /// The changelogs that the reader reads, each with the number of its standby.
    assigned: BTreeMap<TopicPartition, u64>,
    /// The time of the last look at the changelogs' ends.
    looked_ms: i64,
    /// The time of the last search for stores to flush.
    flushed_ms: i64,
    /// The end of the pause after an error of the log, and the same for single tasks after an error of a store.
    rests_until_ms: i64,
    tasks_rest_until_ms: BTreeMap<TaskId, i64>,
}

struct Clients {
    producer: Box<dyn Producer>,
    members: Box<dyn Reader>,
    changelogs: Box<dyn Reader>,
    /// The end of the members topic when the topic was opened. Older records may come from instances that no longer
    /// exist.
    history_end: Offset,
}

impl Clients {
    fn open(app: &Prepared, topic: &TopicPartition) -> Result<Self, TransportError> {
        let mut members = app.transport.reader()?;
        let Watermarks { low, high: history_end } = members.watermarks(topic)?;
        members.assign(&[(topic.clone(), low)])?;
        let producer = app.transport.producer(&ProducerConfig::default())?;
        Ok(Self { producer, members, changelogs: app.transport.reader()?, history_end })
    }
}

impl MemberThread {
    pub(crate) fn new(app: Prepared) -> Self {
        let topic = TopicPartition { topic: app.plan.members_topic(), partition: 0 };
        Self {
            app,
            topic,
            clients: None,
            said: None,
            assigned: BTreeMap::new(),
            looked_ms: i64::MIN,
            flushed_ms: 0,
            rests_until_ms: i64::MIN,
            tasks_rest_until_ms: BTreeMap::new(),
        }
    }

    /// Runs one turn. Returns how many changelog records it applied.
    pub(crate) fn step(&mut self) -> usize {
        let now_ms = self.app.clock.monotonic_ms();
        if now_ms < self.rests_until_ms {
            return 0;
        }
        self.turn(now_ms).unwrap_or_else(|error| {
            tracing::warn!(instance = %self.app.client_id, %error, "the log failed in the member thread, trying again");
            self.rests_until_ms = now_ms + RETRY_MS;
            // The readers may have passed records that were not applied. These must be read again.
            self.assigned.clear();
            if !matches!(error, TransportError::Retriable(_)) {
                self.clients = None;
            }
            0
        })
    }

    fn turn(&mut self, now_ms: i64) -> Result<usize, TransportError> {
        let mut clients = match self.clients.take() {
            Some(clients) => clients,
            None => Clients::open(&self.app, &self.topic)?,
        };
        let done = self.turn_with(&mut clients, now_ms);
        self.clients = Some(clients);
        done
    }

    fn turn_with(&mut self, clients: &mut Clients, now_ms: i64) -> Result<usize, TransportError> {
        self.hear(clients, now_ms)?;
        let mut applied = 0;
        if self.app.config.num_standby_replicas > 0 {
            self.place(clients, now_ms)?;
            self.assign(clients)?;
            self.look(clients, now_ms)?;
            applied = self.replicate(clients, now_ms)?;
            self.flush(now_ms);
        }
        self.say(clients, now_ms)?;
        Ok(applied)
    }

    fn heartbeat_ms(&self) -> i64 {
        millis(self.app.config.member_timeout / HEARTBEATS)
    }

    /// Reads the other instances' records. The age of a record from before this instance's start is its timestamp's
    /// distance from the wall clock. A newer record counts as heard now.
    fn hear(&self, clients: &mut Clients, now_ms: i64) -> Result<(), TransportError> {
        let batches = match clients.members.read(Duration::ZERO, HEARD) {
            Err(TransportError::OffsetOutOfRange { low, .. }) => {
                return clients.members.assign(&[(self.topic.clone(), low)]);
            }
            read => read?,
        };
        let wall_ms = self.app.clock.now_ms();
        for record in batches.into_iter().flat_map(|Fetched { records, .. }| records) {
            let Some(id) = &record.key else { continue };
            let is_history = record.offset < clients.history_end;
            let ago_ms = if is_history { wall_ms.saturating_sub(record.timestamp).max(0) } else { 0 };
            let heard_ms = now_ms.saturating_sub(ago_ms);
            self.app.roster().hear(id, record.value.as_deref(), record.offset, heard_ms);
        }
        Ok(())
    }

    /// Opens the standbys that belong on this instance, and closes the others.
    fn place(&mut self, clients: &mut Clients, now_ms: i64) -> Result<(), TransportError> {
        let me: Arc<str> = self.app.process_id.as_str().into();
        let mut members = self.app.live_members(now_ms);
        members.insert(me.clone());
        let owners = self.app.owners(now_ms);
        let is_mine = |task: TaskId| {
            let owner = owners.get(&task)?;
            let replicas = self.app.config.num_standby_replicas;
            Some(*owner != me && standbys_of(task, owner, &members, replicas).contains(&me))
        };
        let mine: BTreeSet<_> = owners.keys().copied().filter(|task| is_mine(*task) == Some(true)).collect();
        // While a task has no owner, its standbys stay open: one of their instances may become the owner.
        self.app.standbys.close_unless(|task| mine.contains(&task) || !owners.contains_key(&task));
        let lags = self.app.standbys.lags();
        for task in mine {
            if lags.contains_key(&task) || !self.app.plan.has_changelogs(task) {
                continue;
            }
            if self.tasks_rest_until_ms.get(&task).is_some_and(|until_ms| now_ms < *until_ms) {
                continue;
            }
            match self.open(clients, task) {
                Ok(()) => drop(self.tasks_rest_until_ms.remove(&task)),
                Err(TaskError::Transport(error)) => return Err(error),
                Err(error) => self.fail(task, &error, now_ms),
            }
        }
        Ok(())
    }

    fn open(&self, clients: &mut Clients, task: TaskId) -> Result<(), TaskError> {
        let Prepared { standbys, plan, stores, clock, .. } = &self.app;
        let Some(changelogs) = standbys.open(plan, &**stores, task)? else { return Ok(()) };
        let mut bounds = ChangelogBounds::new();
        for changelog in changelogs {
            let found = changelog_bounds(&mut *clients.changelogs, &changelog)?;
            bounds.insert(changelog, found);
        }
        standbys.follow(task, &bounds, clock.now_ms())
    }

    fn fail(&mut self, task: TaskId, error: &TaskError, now_ms: i64) {
        let Prepared { standbys, plan, stores, .. } = &self.app;
        standbys.close_failed(plan, &**stores, task, error);
        self.tasks_rest_until_ms.insert(task, now_ms + RETRY_MS);
    }

    /// Assigns the current standbys' changelogs to the reader.
    fn assign(&mut self, clients: &mut Clients) -> Result<(), TransportError> {
        let standbys = self.app.standbys.positions();
        let wanted: BTreeMap<_, _> = standbys.iter().map(|(changelog, at)| (changelog.clone(), at.standby)).collect();
        if wanted != self.assigned {
            let positions: Vec<_> = standbys.into_iter().map(|(changelog, at)| (changelog, at.next)).collect();
            clients.changelogs.assign(&positions)?;
            self.assigned = wanted;
        }
        Ok(())
    }

    /// Looks at the changelogs' bounds once per heartbeat interval.
    fn look(&mut self, clients: &mut Clients, now_ms: i64) -> Result<(), TransportError> {
        if now_ms.saturating_sub(self.looked_ms) < self.heartbeat_ms() {
            return Ok(());
        }
        self.looked_ms = now_ms;
        let mut anew = false;
        let assigned: Vec<_> = self.assigned.keys().cloned().collect();
        for changelog in assigned {
            let bounds = changelog_bounds(&mut *clients.changelogs, &changelog)?;
            match self.app.standbys.look(&changelog, bounds, self.app.clock.now_ms()) {
                Ok(began) => anew |= began,
                Err((task, error)) => self.fail(task, &error, now_ms),
            }
        }
        if anew {
            self.assigned.clear();
            self.assign(clients)?;
        }
        Ok(())
    }

    /// Applies new changelog records to the standbys.
    fn replicate(&mut self, clients: &mut Clients, now_ms: i64) -> Result<usize, TransportError> {
        if self.assigned.is_empty() {
            return Ok(0);
        }
        let read = match clients.changelogs.read(Duration::ZERO, BATCH) {
            Err(TransportError::OffsetOutOfRange { .. }) => {
                // Retention deleted the next records. The look finds that the store must begin again from empty.
                self.looked_ms = i64::MIN;
                self.look(clients, now_ms)?;
                // The reader goes on only where it is told to, also if no store has to begin again.
                self.assigned.clear();
                self.assign(clients)?;
                return Ok(0);
            }
            read => read?,
        };
        let mut applied = 0;
        for Fetched { partition, records } in read {
            applied += records.len();
            match self.app.standbys.apply(&partition, records) {
                Ok(false) => {}
                Ok(true) => {
                    // The records that follow here are read again, too.
                    self.assigned.clear();
                    self.assign(clients)?;
                    return Ok(applied);
                }
                Err((task, error)) => self.fail(task, &error, now_ms),
            }
        }
        let behind = self.app.standbys.behind();
        for changelog in
            behind.into_iter().filter(|changelog| self.assigned.contains_key(changelog)).collect::<Vec<_>>()
        {
            let position = clients.changelogs.position(&changelog)?;
            if let Err((task, error)) = self.app.standbys.reach(&changelog, position) {
                self.fail(task, &error, now_ms);
            }
        }
        Ok(applied)
    }

    /// Flushes the standbys' changes that have waited long enough. Looks for them once per tick.
    fn flush(&mut self, now_ms: i64) {
        if (0..millis(TICK)).contains(&(now_ms - self.flushed_ms)) {
            return;
        }
        self.flushed_ms = now_ms;
        let wait_ms = millis(self.app.config.state_flush_interval);
        for (task, error) in self.app.standbys.flush_waiting(now_ms, wait_ms) {
            self.fail(task, &error, now_ms);
        }
    }

    /// Sends the member record when this instance's tasks change, and as a regular heartbeat.
    fn say(&mut self, clients: &mut Clients, now_ms: i64) -> Result<(), TransportError> {
        let member = self.app.myself(self.app.clock.now_ms());
        let is_due = self
            .said
            .as_ref()
            .is_none_or(|(said, at_ms)| now_ms - at_ms >= self.heartbeat_ms() || differ(said, &member));
        if is_due {
            self.send(clients, &self.app.process_id, Some(&member))?;
            self.said = Some((member, now_ms));
            // A crashed instance cannot delete its own record. The topic must not keep the records of all past
            // instances.
            let mut silent = self.app.roster().silent_since(now_ms - FORGOTTEN_MS);
            silent.retain(|id| **id != *self.app.process_id);
            silent.iter().try_for_each(|id| self.send(clients, id, None))?;
        }
        Ok(())
    }

    fn send(&self, clients: &mut Clients, id: &str, member: Option<&Member>) -> Result<(), TransportError> {
        let topic: Topic = self.topic.topic.clone();
        clients.producer.send(ProducerRecord {
            topic,
            partition: self.topic.partition,
            timestamp: self.app.clock.now_ms(),
            key: Some(id.to_owned().into()),
            value: member.map(Member::encode),
            headers: Headers::new(),
        })?;
        clients.producer.flush().map(drop)
    }

    /// Closes the standbys and deletes this instance's member record.
    pub(crate) fn close(mut self) {
        self.app.standbys.close();
        let said = self.said.is_some();
        if let Some(mut clients) = self.clients.take().filter(|_| said)
            && let Err(error) = self.send(&mut clients, &self.app.process_id, None)
        {
            tracing::warn!(instance = %self.app.client_id, %error, "the member record could not be deleted");
        }
    }
}

/// Whether the tasks, or which standbys are caught up, differ. A small change of lag alone does not count.
fn differ(said: &Member, now: &Member) -> bool {
    let standbys = |member: &Member| member.standby.iter().map(|(task, lag)| (*task, *lag == 0)).collect::<Vec<_>>();
    said.active != now.active || standbys(said) != standbys(now)
}

#[cfg(test)]
mod tests;
