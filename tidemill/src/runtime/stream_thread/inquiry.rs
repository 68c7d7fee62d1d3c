//! Asks the log whether resting tasks that write a repartition topic have work. A resting task sends no more notes of
//! its silence. A task that got a record and is stalled sends no notes, either.
//!
//! A task above has done what its group has committed. So the task had no work at some time if all records that were in
//! its inputs then are committed later, and the same holds for the tasks that write these inputs. The inquiry goes
//! topic by topic, beginning with the farthest one above. After the given time it asks for each topic's end, and looks
//! for records between the committed offset and this end. Records that those tasks sent by then are in the repartition
//! topic itself, before an end that is asked for last. The asking task must take these records first.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::StreamThread;
use crate::{
    idle_note::IdleNote,
    plan::{Plan, TaskId},
    task::Learnt,
    transport::{Consumer, Fetched, Offset, Reader, Topic, TopicPartition, TransportError, Watermarks},
};

/// The longest time of an inquiry without an answer, and the pause after an inquiry without a positive answer.
const PATIENCE_MS: i64 = 1_000;
const PAUSE_MS: i64 = 500;

/// The most records of one read.
const AT_ONCE: usize = 100;

/// One thread's inquiries. Only one is open at a time.
#[derive(Default)]
pub(crate) struct Inquirer {
    /// Opened when it is needed, and opened again after an error.
    reader: Option<Box<dyn Reader>>,
    open: Option<Inquiry>,
    /// The topic of the last inquiry. The next inquiry is about the topic after it.
    last: Option<Topic>,
    not_before_ms: i64,
}

/// The inquiry about one repartition topic.
struct Inquiry {
    topic: Topic,
    /// The start of the inquiry in wall-clock time and in monotonic time.
    wall_ms: i64,
    began_ms: i64,
    /// The asking tasks and their positions, by partition.
    askers: BTreeMap<TopicPartition, (TaskId, Option<Offset>)>,
    /// The topics still to read, in reverse order. The first entry is the repartition topic itself, which is read last.
    stages: Vec<InquiryStage>,
    /// The partitions being read, each with its end.
    tails: BTreeMap<TopicPartition, Offset>,
    /// For each asker's partition: the offset after the last record before the end.
    up_to: BTreeMap<TopicPartition, Offset>,
}

/// The partitions of a topic that an inquiry reads.
struct InquiryStage {
    partitions: Vec<TopicPartition>,
    /// Whether tasks of this application write the topic.
    is_ours: bool,
}

/// The result of a step of an inquiry.
enum Step {
    /// The log has not returned all records yet.
    Waits,
    /// A task above has work.
    IsBusy,
    /// No task above had work.
    WasSilent,
}

impl StreamThread {
    /// Runs inquiries for the tasks whose idle clocks wait for an answer. An error does not reach the thread: the
    /// inquiry is repeated.
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
                tracing::debug!(thread = %self.name, topic = %inquiry.topic, %error, "cannot inquire about silence");
                if !matches!(error, TransportError::Retriable(_)) {
                    self.inquirer.reader = None;
                }
                self.inquirer.not_before_ms = now_ms + PAUSE_MS;
            }
        }
        // No more records are needed, so the reader must stop fetching.
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
        stages.insert(0, InquiryStage { partitions: askers.keys().cloned().collect(), is_ours: true });
        let (tails, up_to) = (BTreeMap::new(), BTreeMap::new());
        self.inquirer.open = Some(Inquiry { topic, wall_ms, began_ms: now_ms, askers, stages, tails, up_to });
    }
}

/// The topics from which these tasks make a repartition topic's records, the farthest one above last.
fn stages(plan: &Plan, topic: &Topic, writers: &BTreeSet<i32>) -> Vec<InquiryStage> {
    let direct = plan.idle_notes_in(topic).map(|notes| &notes.above).into_iter().flatten();
    let farther: BTreeSet<_> = direct.flat_map(|above| plan.sources_of(above)).collect();
    let stage = |above: &Topic| {
        let all = 0..plan.partitions(above).unwrap_or(0);
        // Records from farther above may reach any of these tasks.
        let read = all.filter(|partition| farther.contains(above) || writers.contains(partition));
        let partitions = read.map(|partition| TopicPartition { topic: above.clone(), partition }).collect();
        InquiryStage { partitions, is_ours: plan.idle_notes_in(above).is_some() }
    };
    plan.sources_of(topic).iter().rev().map(stage).collect()
}

impl Inquiry {
    /// Reads as far as the log has records.
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

    /// Decides what to read of these partitions. Asks for the ends first, then for the committed offsets.
    fn begin(
        &mut self,
        InquiryStage { partitions, is_ours }: &InquiryStage,
        consumer: &mut dyn Consumer,
        reader: &mut dyn Reader,
    ) -> Result<(), TransportError> {
        let mut bounds = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let Watermarks { low, high: mut end } = reader.watermarks(partition)?;
            if *is_ours {
                // A commit's offsets may be known before its records are visible.
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

    /// Whether the records are work for a task above. Notes do not count. In the askers' own partitions, records are no
    /// work either, but the askers must take them first.
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
