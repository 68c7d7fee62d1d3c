//! One partition that several sources of a task read. Each of them gets every record.

use super::{BadRecord, Head, Outcome, SourceQueue, TaskContext};
use crate::{
    graph::NodeId,
    transport::{ConsumedRecord, Offset},
};

/// The queues of sources that read the same partition, in the order of declaration. All of them take a record before
/// one of them takes the next.
pub(crate) struct SharedSource {
    readers: Vec<(NodeId, Box<dyn SourceQueue>)>,
}

impl SharedSource {
    pub(crate) fn new(readers: Vec<(NodeId, Box<dyn SourceQueue>)>) -> Self {
        Self { readers }
    }

    /// The readers that have not taken the record that comes next.
    fn due(&mut self) -> impl Iterator<Item = &mut (NodeId, Box<dyn SourceQueue>)> {
        let next = self.head_offset();
        self.readers.iter_mut().filter(move |(_, queue)| next.is_some() && queue.head_offset() == next)
    }
}

impl SourceQueue for SharedSource {
    fn fresh(&self) -> Box<dyn SourceQueue> {
        Box::new(Self::new(self.readers.iter().map(|(id, queue)| (*id, queue.fresh())).collect()))
    }

    fn push(&mut self, records: Vec<ConsumedRecord>) {
        self.readers.iter_mut().for_each(|(_, queue)| queue.push(records.clone()));
    }

    fn len(&self) -> usize {
        self.readers.iter().map(|(_, queue)| queue.len()).max().unwrap_or(0)
    }

    /// A record is ready if one of the sources can take it, at the earliest time that one of them gives it.
    fn head(&mut self, partition_time_ms: i64) -> Head {
        let mut head = Head::Empty;
        for (_, queue) in self.due() {
            head = match (head, queue.head(partition_time_ms)) {
                (_, Head::NotYet) => return Head::NotYet,
                (Head::Ready(one), Head::Ready(other)) => Head::Ready(one.min(other)),
                (ready @ Head::Ready(_), _) => ready,
                (_, other) => other,
            };
        }
        head
    }

    fn head_offset(&self) -> Option<Offset> {
        self.readers.iter().filter_map(|(_, queue)| queue.head_offset()).min()
    }

    fn head_raw(&self) -> Option<ConsumedRecord> {
        let next = self.head_offset();
        self.readers.iter().find(|(_, queue)| queue.head_offset() == next).and_then(|(_, queue)| queue.head_raw())
    }

    fn process(&mut self, ctx: &mut TaskContext) -> Outcome {
        let mut outcome = Ok(());
        for (id, queue) in self.due() {
            if outcome.is_ok() {
                ctx.node = *id;
                outcome = queue.process(ctx);
            } else {
                // A record that one source cannot process is left out by all.
                queue.skip();
            }
        }
        outcome
    }

    fn skip(&mut self) {
        self.due().for_each(|(_, queue)| queue.skip());
    }

    fn take_bad(&mut self) -> Option<(ConsumedRecord, BadRecord)> {
        self.due().find_map(|(_, queue)| queue.take_bad())
    }

    fn bad_for(&mut self) -> Option<NodeId> {
        self.due().find(|(_, queue)| queue.is_bad()).map(|(id, _)| *id)
    }

    fn is_bad(&self) -> bool {
        let next = self.head_offset();
        self.readers.iter().any(|(_, queue)| queue.head_offset() == next && queue.is_bad())
    }

    fn take_note(&mut self) -> Option<ConsumedRecord> {
        None
    }

    fn waits_for(&self) -> Option<&str> {
        self.readers.iter().find_map(|(_, queue)| queue.waits_for())
    }
}
