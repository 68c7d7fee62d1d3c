//! Asks the log whether tasks that write a repartition topic have anything to do, where these rest: they tell nothing of
//! their silence any more, and one that got a record and is stalled tells nothing of it either.
//!
//! What a task above has done is what its group has committed. So it had nothing to do at some time if, later, all that
//! was in its inputs then is committed, and the same is true of whatever writes these inputs. Topic after topic, from
//! the farthest above on, everything before an end that is asked for after the time is looked for beyond what is
//! committed. What those tasks sent by then stands in the repartition topic itself, before an end that is asked for
//! last: whoever reads it must have taken that first.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::StreamThread;
use crate::{
    idle_note::IdleNote,
    plan::{Plan, TaskId},
    task::Learnt,
    transport::{Consumer, Fetched, Offset, Reader, Topic, TopicPartition, TransportError},
};

/// How long an inquiry without an answer lasts, and how long the next one waits then.
const PATIENCE_MS: i64 = 1_000;
const PAUSE_MS: i64 = 500;

/// Records read at once, where an end is looked for.
const AT_ONCE: usize = 100;

/// One thread's inquiries: one at a time.
#[derive(Default)]
pub(crate) struct Inquirer {
    /// Opened when it is needed, and again after an error.
    reader: Option<Box<dyn Reader>>,
    open: Option<Inquiry>,
    /// The topic that was asked about last: the next one has its turn.
    last: Option<Topic>,
    not_before_ms: i64,
}

/// One repartition topic's.
struct Inquiry {
    topic: Topic,
    /// Wall time when it began, and that of a clock that nobody sets.
    wall_ms: i64,
    began_ms: i64,
    /// The tasks that ask, and how far they have taken their partition.
    askers: BTreeMap<TopicPartition, (TaskId, Option<Offset>)>,
    /// What is to be looked at, by topic, the last first: that is the repartition topic itself.
    stages: Vec<Stage>,
    /// What is being read, each up to its end.
    tails: BTreeMap<TopicPartition, Offset>,
    /// Of each asker's partition, the offset after the last record before the end.
    up_to: BTreeMap<TopicPartition, Offset>,
}

/// What of a topic is to be looked at.
struct Stage {
    partitions: Vec<TopicPartition>,
    /// Tasks of this application write it.
    is_ours: bool,
}

/// How far an inquiry came.
enum Step {
    /// The log has not given all of it yet.
    Waits,
    /// Somebody above has something to do.
    IsBusy,
    /// Nobody had.
    WasSilent,
}

impl StreamThread {
    /// Asks for those tasks whose idle clock waits for an answer. Errors are not the thread's: it asks again.
    pub(super) fn inquire(&mut self, now_ms: i64) {
        if self.inquirer.open.is_none() {
            self.begin_inquiry(now_ms);
        }
        let Some(mut inquiry) = self.inquirer.open.take() else { return };
        let step = self.inquire_on(&mut inquiry);
        if let Ok(Step::Waits) = step
            && now_ms - inquiry.began_ms < PATIENCE_MS
        {
            self.inquirer.open = Some(inquiry);
            return;
        }
        match step {
            Ok(Step::WasSilent) => self.answer(&inquiry),
            Ok(Step::Waits | Step::IsBusy) => self.inquirer.not_before_ms = now_ms + PAUSE_MS,
            Err(error) => {
                tracing::debug!(thread = %self.name, topic = %inquiry.topic, %error, "cannot tell who is silent");
                if !matches!(error, TransportError::Retriable(_)) {
                    self.inquirer.reader = None;
                }
                self.inquirer.not_before_ms = now_ms + PAUSE_MS;
            }
        }
        // What nobody waits for is not to be fetched.
        self.inquirer.reader.take_if(|reader| reader.assign(&[]).is_err());
    }

    fn inquire_on(&mut self, inquiry: &mut Inquiry) -> Result<Step, TransportError> {
        let reader = match self.inquirer.reader.take() {
            Some(reader) => reader,
            None => self.app.transport.reader()?,
        };
        inquiry.step(&mut *self.clients.consumer, &mut **self.inquirer.reader.insert(reader))
    }

    fn answer(&mut self, inquiry: &Inquiry) {
        for (partition, (task, _)) in &inquiry.askers {
            let up_to = inquiry.up_to.get(partition).copied().unwrap_or(0);
            if let Some(task) = self.tasks.running().find(|running| running.id == *task) {
                task.learn(partition, Learnt { at_ms: inquiry.wall_ms, up_to });
            }
        }
    }

    fn begin_inquiry(&mut self, now_ms: i64) {
        if now_ms < self.inquirer.not_before_ms {
            return;
        }
        let wall_ms = self.app.clock.now_ms();
        let asks = self.tasks.running().flat_map(|task| task.asks(wall_ms).map(|asked| (task.id, asked)));
        let mut asked: BTreeMap<Topic, (BTreeMap<_, _>, BTreeSet<i32>)> = BTreeMap::new();
        for (task, (partition, place, resting)) in asks {
            let (askers, writers) = asked.entry(partition.topic.clone()).or_default();
            askers.insert(partition.clone(), (task, place));
            writers.extend(resting);
        }
        let next = asked.keys().find(|topic| self.inquirer.last.as_ref().is_none_or(|last| *topic > last));
        let Some(topic) = next.or_else(|| asked.keys().next()).cloned() else { return };
        let Some((askers, writers)) = asked.remove(&topic) else { return };
        self.inquirer.last = Some(topic.clone());
        let mut stages = stages(&self.app.plan, &topic, &writers);
        stages.insert(0, Stage { partitions: askers.keys().cloned().collect(), is_ours: true });
        let (tails, up_to) = (BTreeMap::new(), BTreeMap::new());
        self.inquirer.open = Some(Inquiry { topic, wall_ms, began_ms: now_ms, askers, stages, tails, up_to });
    }
}

/// From what these tasks make a repartition topic's records, by topic, the farthest above last.
fn stages(plan: &Plan, topic: &Topic, writers: &BTreeSet<i32>) -> Vec<Stage> {
    let direct = plan.idle_notes_in(topic).map(|notes| &notes.above).into_iter().flatten();
    let farther: BTreeSet<_> = direct.flat_map(|above| plan.sources_of(above)).collect();
    let stage = |above: &Topic| {
        let all = 0..plan.partitions(above).unwrap_or(0);
        // What is farther above may come to any of these tasks.
        let read = all.filter(|partition| farther.contains(above) || writers.contains(partition));
        let partitions = read.map(|partition| TopicPartition { topic: above.clone(), partition }).collect();
        Stage { partitions, is_ours: plan.idle_notes_in(above).is_some() }
    };
    plan.sources_of(topic).iter().rev().map(stage).collect()
}

impl Inquiry {
    /// Goes as far as the log lets it.
    fn step(&mut self, consumer: &mut dyn Consumer, reader: &mut dyn Reader) -> Result<Step, TransportError> {
        loop {
            while !self.tails.is_empty() {
                let batches = reader.read(Duration::ZERO, AT_ONCE)?;
                let nothing = batches.is_empty();
                if batches.into_iter().any(|batch| self.is_work(batch)) {
                    return Ok(Step::IsBusy);
                }
                let mut left = BTreeMap::new();
                for (partition, end) in std::mem::take(&mut self.tails) {
                    if reader.position(&partition)? < end {
                        left.insert(partition, end);
                    }
                }
                self.tails = left;
                if nothing && !self.tails.is_empty() {
                    return Ok(Step::Waits);
                }
            }
            let Some(stage) = self.stages.pop() else { return Ok(Step::WasSilent) };
            self.begin(&stage, consumer, reader)?;
        }
    }

    /// Finds out what of these partitions is to be read: ends first, then what is committed.
    fn begin(
        &mut self,
        Stage { partitions, is_ours }: &Stage,
        consumer: &mut dyn Consumer,
        reader: &mut dyn Reader,
    ) -> Result<(), TransportError> {
        let mut bounds = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let (low, mut end) = reader.watermarks(partition)?;
            if *is_ours {
                // A commit may be known already, and what belongs to it not visible yet.
                end = reader.end(partition)?;
            }
            bounds.push((low, end));
        }
        let done = if self.stages.is_empty() {
            partitions.iter().map(|partition| self.askers.get(partition).and_then(|(_, place)| *place)).collect()
        } else {
            let committed = consumer.committed_now(partitions)?;
            committed.into_iter().map(|committed| committed.map(|committed| committed.offset)).collect::<Vec<_>>()
        };
        let mut from = Vec::new();
        for ((partition, (low, end)), done) in partitions.iter().zip(bounds).zip(done) {
            let done = done.unwrap_or(low).max(low);
            if done < end {
                self.tails.insert(partition.clone(), end);
                from.push((partition.clone(), done));
            }
        }
        reader.assign(&from)
    }

    /// Whether what was read is work for a task above. Notes are none. In the partitions of those who ask, it is what
    /// they have to take first.
    fn is_work(&mut self, batch: Fetched) -> bool {
        let end = self.tails.get(&batch.partition).copied().unwrap_or(0);
        let mut before = batch.records.iter().filter(|record| record.offset < end);
        if self.stages.is_empty() && self.askers.contains_key(&batch.partition) {
            if let Some(last) = before.next_back() {
                self.up_to.insert(batch.partition, last.offset + 1);
            }
            return false;
        }
        before.any(|record| !IdleNote::is(record))
    }
}
