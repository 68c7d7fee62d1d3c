//! The right table of a foreign-key join: keeps subscriptions and answers them.
//!
//! A row's key is the foreign key and then the key of the left table, so that all subscriptions of a foreign key stand
//! together. It begins with the part of the foreign key that chooses the partition, as [`RowKeys`] of an erasure need it.

use std::{cell::RefCell, ops::Bound, rc::Rc, sync::Arc};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tidemill_state::{ByteStore, Codec, CodecError, Direction, Row};

use super::{
    super::{Next, Outcome, Receive, TaskContext, View},
    Answer, Subscription,
    messages::Instruction,
};
use crate::{
    graph::RowKeys,
    record::{Data, Record},
    table::Change,
};

/// The first byte of each row's key.
pub(crate) const SUBSCRIPTION_ROW: u8 = 0;

/// The beginning of the keys of a foreign key's rows.
fn prefix<FK: 'static>(codec: &dyn Codec<FK>, foreign_key: &FK) -> Result<Vec<u8>, CodecError> {
    let bytes = codec.encode(foreign_key)?.unwrap_or_default();
    let part = codec.partition_bytes(&bytes);
    let rest = bytes.strip_prefix(part).unwrap_or(&bytes);
    let mut prefix = RowKeys::length_prefix(SUBSCRIPTION_ROW, part);
    prefix.put_u32(u32::try_from(rest.len()).unwrap_or(u32::MAX));
    prefix.extend_from_slice(rest);
    Ok(prefix)
}

/// Keeps each subscription, or ends it, and answers with the value that the foreign key has now.
pub(crate) struct Subscriptions<FK, T> {
    pub(crate) store: Rc<RefCell<ByteStore>>,
    pub(crate) table: Box<dyn View<FK, T>>,
    pub(crate) key: Arc<dyn Codec<FK>>,
    pub(crate) value: Arc<dyn Codec<T>>,
    pub(crate) next: Next<Bytes, Answer>,
}

impl<FK: Data, T: Data> Receive<FK, Subscription> for Subscriptions<FK, T> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<FK, Subscription>) -> Outcome {
        let Record { key: foreign_key, value, timestamp, headers } = record;
        let Subscription { instruction, hash, partition, key } = value;
        let mut row_key = prefix(&*self.key, &foreign_key)?;
        row_key.extend_from_slice(&key);
        if instruction == Instruction::Delete {
            self.store.borrow_mut().delete(row_key.into());
            return Ok(());
        }
        let mut row = BytesMut::with_capacity(size_of::<u128>() + size_of::<i32>());
        row.put_u128(hash);
        row.put_i32(partition);
        self.store.borrow_mut().put(row_key.into(), Row { timestamp, value: row.freeze() });

        let (value, at) = match self.table.get(ctx, &foreign_key)? {
            Some((value, at)) => (Some(self.value.encode(&value)?.unwrap_or_default()), at),
            None if instruction == Instruction::AnswerIfFound => return Ok(()),
            None => (None, timestamp),
        };
        let (timestamp, value) = (timestamp.max(at), Answer { hash, partition, value });
        self.next.forward(ctx, Record { key, value, timestamp, headers })
    }
}

/// Tells all subscribers of a foreign key its new value.
pub(crate) struct ForeignChange<FK, T> {
    pub(crate) store: Rc<RefCell<ByteStore>>,
    pub(crate) key: Arc<dyn Codec<FK>>,
    pub(crate) value: Arc<dyn Codec<T>>,
    pub(crate) next: Next<Bytes, Answer>,
}

impl<FK: Data, T: Data> Receive<FK, Change<T>> for ForeignChange<FK, T> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<FK, Change<T>>) -> Outcome {
        if ctx.drops_out_of_order(&record.value) {
            return Ok(());
        }
        let Record { key, value: Change { new, .. }, timestamp, headers } = record;
        let value = match &new {
            Some(new) => Some(self.value.encode(new)?.unwrap_or_default()),
            None => None,
        };
        let prefix = prefix(&*self.key, &key)?;
        // Only the sink of the answers comes after this operator, and it has no store.
        let store = self.store.borrow();
        for found in store.scan(Bound::Included(&prefix), Bound::Unbounded, Direction::Forward)? {
            let (row_key, mut row) = found?;
            if !row_key.starts_with(&prefix) {
                break;
            }
            let too_short = |_| CodecError::Malformed { expected: "a subscription", reason: "it ends early".into() };
            let hash = row.value.try_get_u128().map_err(too_short)?;
            let partition = row.value.try_get_i32().map_err(too_short)?;
            let answer = Answer { hash, partition, value: value.clone() };
            let (key, timestamp) = (row_key.slice(prefix.len()..), timestamp.max(row.timestamp));
            self.next.forward(ctx, Record { key, value: answer, timestamp, headers: headers.clone() })?;
        }
        Ok(())
    }
}
