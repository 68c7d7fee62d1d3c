//! How a record gets from one operator to the next.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::processor::Punctuation;
use super::{Outcome, TaskContext};
use crate::{
    graph::NodeId,
    record::{Data, Record},
    transport::Headers,
};

/// An operator's typed input, as the operator before it sees it.
///
/// A record's parts are separate arguments, so that small parts travel in registers. This saves a third of a hop's
/// cost.
pub(crate) trait Target<K, V> {
    fn take(&self, ctx: &mut TaskContext, key: K, value: V, timestamp: i64, headers: Headers) -> Outcome;
}

/// The input of an operator with state. Other operators implement [`Target`] themselves.
pub(crate) trait Receive<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome;
}

impl<K, V, T: Receive<K, V>> Target<K, V> for RefCell<T> {
    #[inline]
    fn take(&self, ctx: &mut TaskContext, key: K, value: V, timestamp: i64, headers: Headers) -> Outcome {
        self.borrow_mut().receive(ctx, Record { key, value, timestamp, headers })
    }
}

/// What a task asks of operators between records. Only operators that need these calls register.
pub(crate) trait Lifecycle {
    /// Called before the first record.
    fn init(&mut self, _ctx: &mut TaskContext) -> Outcome {
        Ok(())
    }

    /// Called before a commit, before any operator is flushed: forwards what waited for the commit.
    fn before_commit(&mut self, _ctx: &mut TaskContext) -> Outcome {
        Ok(())
    }

    /// Called before a commit: writes cached values to the stores. Must not forward records.
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        Ok(())
    }

    /// Called from time to time, after the wall clock and possibly the task's idle clock have advanced.
    fn tick(&mut self, _ctx: &mut TaskContext) -> Outcome {
        Ok(())
    }

    /// Called before the next record: continues work that had stopped because there was no room.
    fn resume(&mut self, _ctx: &mut TaskContext) -> Outcome {
        Ok(())
    }

    /// Called once, when all operators are built.
    fn connect(&mut self, _operators: &Lifecycles) {}

    /// Called while the rows of a key are erased: drops what the operator keeps of the key in memory. The caller has
    /// flushed the operator before.
    fn erase(&mut self, _ctx: &mut TaskContext, _key: &[u8]) {}

    /// Called once, when the task ends or is rolled back.
    fn end(&mut self) {}

    /// Called when a punctuation is due.
    fn punctuate(&mut self, _ctx: &mut TaskContext, _id: Punctuation, _time_ms: i64) -> Outcome {
        Ok(())
    }
}

/// The operators that registered.
pub(crate) type Lifecycles = BTreeMap<NodeId, Rc<RefCell<dyn Lifecycle>>>;

/// One child: where records go, and under which name a panic is reported.
pub(crate) struct Link<K, V> {
    pub(crate) id: NodeId,
    pub(crate) target: Rc<dyn Target<K, V>>,
}

/// An operator's children on one port.
pub(crate) enum Next<K, V> {
    None,
    One(Link<K, V>),
    Many(Vec<Link<K, V>>),
}

impl<K: Data, V: Data> Next<K, V> {
    pub(crate) fn new(mut links: Vec<Link<K, V>>) -> Self {
        match links.len() {
            0 => Self::None,
            1 => links.pop().map_or(Self::None, Self::One),
            _ => Self::Many(links),
        }
    }

    /// Passes the record to every child, in the order of declaration. All children but the last get a clone.
    ///
    /// `ctx.node` is restored only on success: after a failure it is the node that failed.
    #[expect(clippy::inline_always, reason = "see `Next::hand_over`")]
    #[inline(always)]
    pub(crate) fn forward(&self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let sender = ctx.node;
        self.hand_over(ctx, record)?;
        ctx.node = sender;
        Ok(())
    }

    /// [`Next::forward`] as the last action of an operator. The operator does not need `ctx.node` afterwards, and the
    /// call can be a jump.
    ///
    /// If this is inlined into each operator, the record's parts stay in registers until they are written where the
    /// next operator reads them. A copy of the whole record would wait twice for the stores of its parts, which is
    /// three quarters of a hop's cost.
    #[expect(clippy::inline_always, reason = "measured by the benchmark `hops`")]
    #[inline(always)]
    pub(crate) fn hand_over(&self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        match self {
            Self::One(link) => link.send(ctx, Record { key, value, timestamp, headers }),
            Self::None => Ok(()),
            Self::Many(links) => send_to_many(links, ctx, Record { key, value, timestamp, headers }),
        }
    }
}

impl<K, V> Link<K, V> {
    #[expect(clippy::inline_always, reason = "see `Next::hand_over`")]
    #[inline(always)]
    fn send(&self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        ctx.node = self.id;
        self.target.take(ctx, key, value, timestamp, headers)
    }
}

#[inline(never)]
fn send_to_many<K: Data, V: Data>(links: &[Link<K, V>], ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
    if let Some((last, others)) = links.split_last() {
        for link in others {
            link.send(ctx, record.clone())?;
        }
        last.send(ctx, record)?;
    }
    Ok(())
}
