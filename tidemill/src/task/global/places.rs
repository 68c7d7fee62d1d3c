//! Where a global store stands in its topic: kept beside the rows, and written with them.

use bytes::Bytes;

use super::{GlobalTask, of_store};
use crate::{
    error::TaskError,
    task::restore::Restore,
    transport::{Offset, TopicPartition, Watermarks},
};

impl GlobalTask {
    /// Finds the place to continue at in each partition. If the topic no longer has what the store needs next, the store
    /// begins again from empty.
    pub(crate) fn find_start(
        &mut self,
        wall_ms: i64,
        mut bounds: impl FnMut(&TopicPartition) -> Result<Watermarks, TaskError>,
    ) -> Result<(), TaskError> {
        self.store.borrow_mut().rollback();
        self.letters.clear();
        let mut lows = Vec::new();
        let age_ms = self.store.borrow().current_at().map_err(of_store)?.map(|at| wall_ms - at);
        // A topic with fewer partitions than before is another topic.
        let beyond = self.inputs.last().map(|last| format!("{NEXT_OF}{}", last.partition.partition + 1));
        let beyond = beyond.map(|note| self.store.borrow().meta(&note)).transpose().map_err(of_store)?.flatten();
        let mut begins_again = beyond.is_some();
        for input in &mut self.inputs {
            let Watermarks { low, high } = bounds(&input.partition)?;
            let kept = self.store.borrow().meta(&note_of(&input.partition)).map_err(of_store)?.and_then(read_offset);
            // A store has no rows of a partition that it has no offset of.
            input.next = kept.unwrap_or(low);
            begins_again |= kept.is_some() && Restore::decide(kept, age_ms, low, high) == Restore::Rebuild;
            lows.push(low);
        }
        if begins_again {
            self.begin_again(&lows)?;
        }
        Ok(())
    }

    fn begin_again(&mut self, lows: &[Offset]) -> Result<(), TaskError> {
        self.store.borrow_mut().clear().map_err(of_store)?;
        self.inputs.iter_mut().zip(lows).for_each(|(input, low)| input.next = *low);
        Ok(())
    }

    /// Drops records that were pushed and not processed. Returns where to read on.
    pub(crate) fn read_again(&mut self) -> impl Iterator<Item = (TopicPartition, Offset)> {
        self.inputs.iter_mut().map(|input| {
            input.queue = input.queue.fresh();
            (input.partition.clone(), input.next)
        })
    }

    /// Makes the effects of the processed records visible, together with the places reached. `position` is where the
    /// reader stands.
    pub(crate) fn commit(
        &mut self,
        mut position: impl FnMut(&TopicPartition) -> Result<Offset, TaskError>,
    ) -> Result<(), TaskError> {
        let mut store = self.store.borrow_mut();
        for input in &mut self.inputs {
            if input.queue.len() == 0 {
                // Offsets without a record, such as markers of transactions, are passed, too.
                input.next = input.next.max(position(&input.partition)?);
            }
            let (note, next) = (note_of(&input.partition), Bytes::copy_from_slice(&input.next.to_be_bytes()));
            if store.meta(&note).map_err(of_store)?.as_ref() != Some(&next) {
                store.set_meta(&note, next);
            }
        }
        store.commit(None).map_err(of_store)?;
        drop(store);
        self.ctx.outputs.clear();
        self.letters.clear();
        Ok(())
    }
}

const NEXT_OF: &str = "next-of-";

/// The name under which a partition's offset is kept beside the rows.
fn note_of(partition: &TopicPartition) -> String {
    format!("{NEXT_OF}{}", partition.partition)
}

fn read_offset(raw: Bytes) -> Option<Offset> {
    Some(i64::from_be_bytes(raw.as_ref().try_into().ok()?))
}
