//! What the two ends of a step share in memory: when requests are due, and where lanes begin. It is rebuilt from the
//! store when a task is opened, and after each rollback.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use bytes::Bytes;

use super::row::lane_of;
use crate::{async_op::request::RequestId, operators::TaskContext};

/// The number of lanes whose beginning is remembered.
const HEADS: usize = 10_000;

/// The memory of a step in a task.
#[derive(Clone, Default)]
pub(crate) struct Memory(Rc<RefCell<Remembered>>);

#[derive(Default)]
struct Remembered {
    /// The rows of requests with a deadline, by the moment when it is over. An entry stays until then, even if its
    /// request was answered.
    due: BTreeSet<(i64, Bytes)>,
    /// For some lanes, a number below which no request is pending. A search that begins there passes over no deleted
    /// rows.
    heads: HashMap<Bytes, u64>,
}

impl Memory {
    /// Notes that a request's deadline is over at a moment of the monotonic clock.
    pub(super) fn note_due(&self, ctx: &mut TaskContext, at_ms: i64, row: Bytes) {
        // If the request is undone, another one may get its number.
        self.on_undo(ctx, {
            let entry = (at_ms, row.clone());
            move |memory| {
                memory.due.remove(&entry);
            }
        });
        self.0.borrow_mut().due.insert((at_ms, row));
    }

    /// Takes a row whose deadline is over.
    pub(super) fn take_due(&self, now_ms: i64) -> Option<Bytes> {
        let mut memory = self.0.borrow_mut();
        let (at_ms, _) = memory.due.first()?;
        if *at_ms > now_ms {
            return None;
        }
        memory.due.pop_first().map(|(_, row)| row)
    }

    /// The number below which no request of the lane is pending.
    pub(super) fn head(&self, lane: &[u8]) -> u64 {
        self.0.borrow().heads.get(lane).copied().unwrap_or(0)
    }

    /// Notes that no request of the lane is pending below a number.
    pub(super) fn note_head(&self, ctx: &mut TaskContext, lane: &Bytes, number: u64) {
        if self.0.borrow().heads.get(lane) == Some(&number) {
            return;
        }
        // Requests that were answered by what is undone are pending again.
        self.on_undo(ctx, {
            let lane = lane.clone();
            move |memory| {
                memory.heads.remove(&lane);
            }
        });
        let mut memory = self.0.borrow_mut();
        if memory.heads.len() >= HEADS {
            memory.heads.clear();
        }
        memory.heads.insert(lane.clone(), number);
    }

    /// Forgets the requests of a key. Rows in a lane are found by their lane.
    pub(super) fn forget(&self, ctx: &mut TaskContext, key: &[u8]) {
        let is_of_key = |row: &Bytes| match lane_of(row) {
            Some((lane, _)) => lane == key,
            None => RequestId::from_bytes(row.slice(1..)).is_some_and(|id| id.key() == key),
        };
        let mut memory = self.0.borrow_mut();
        let forgotten: Vec<_> = memory.due.extract_if(.., |(_, row)| is_of_key(row)).collect();
        memory.heads.remove(key);
        drop(memory);
        self.on_undo(ctx, move |memory| memory.due.extend(forgotten));
    }

    fn on_undo(&self, ctx: &mut TaskContext, undo: impl FnOnce(&mut Remembered) + 'static) {
        let memory = self.0.clone();
        ctx.on_undo(|_| move |_: &mut TaskContext| undo(&mut memory.borrow_mut()));
    }
}
