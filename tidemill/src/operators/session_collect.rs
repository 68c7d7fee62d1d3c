//! Collects the elements of sessions. Each element is one row and one changelog record; the close of the session builds
//! the list.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::{ByteSessionStore, Codec, CodecError, Direction, Row, SessionKey, StoreError};

use super::{Lifecycle, Next, Outcome, Receive, Sessions, TaskContext};
use crate::{
    record::{Data, Record},
    windows::{Window, Windowed},
};

/// The state of a collecting operator. The value of a session is the number of its elements.
pub(crate) struct SessionCollect<K, V> {
    pub(crate) sessions: Sessions<K>,
    pub(crate) counts: Arc<dyn Codec<i64>>,
    pub(crate) elements: SessionElements<V>,
    pub(crate) next: Next<Windowed<K>, Vec<V>>,
    pub(crate) late: Next<K, V>,
}

/// The elements of open sessions, by key and timestamp. Two sessions that merge therefore need no change of a row: the
/// elements of a session are those of its key from its start to its end.
///
/// In the store, an element's timestamp stands in place of a session's end, and its number among the elements with that
/// timestamp in place of a session's start.
pub(crate) struct SessionElements<V> {
    pub(crate) store: Rc<RefCell<ByteSessionStore>>,
    pub(crate) value: Arc<dyn Codec<V>>,
}

impl<V: Data> SessionElements<V> {
    fn append(&self, key: &[u8], row: Row) -> Result<(), StoreError> {
        let mut store = self.store.borrow_mut();
        let at = row.timestamp;
        let last = store.find_by_end(key, at, at, Direction::Reverse)?.next().transpose()?;
        store.put(key, last.map_or(0, |(last, _)| last.start + 1), at, row);
        Ok(())
    }

    /// Removes the elements of a session that closes and returns them, by timestamp, then in the order in which they
    /// came. Earlier elements belong to no session any more: with at-least-once processing, a crash may have left them.
    fn take(&self, session: &SessionKey) -> Result<Vec<Row>, StoreError> {
        let mut store = self.store.borrow_mut();
        let found = store.find_by_end(&session.key, 0, session.end, Direction::Forward)?;
        let found = found.collect::<Result<Vec<_>, _>>()?;
        for (SessionKey { key, start, end }, _) in &found {
            store.remove(key, *start, *end)?;
        }
        Ok(found.into_iter().map(|(_, row)| row).filter(|row| row.timestamp >= session.start).collect())
    }
}

impl<K: Data, V: Data> SessionCollect<K, V> {
    fn close(&self, ctx: &mut TaskContext, key: Option<&[u8]>) -> Outcome {
        let emit = |ctx: &mut TaskContext, session: &SessionKey, _| {
            // The elements leave the store also if an operator rejects the list.
            let rows = self.elements.take(session)?;
            ctx.or_left_out(|ctx| {
                let elements = rows.into_iter().map(|row| self.elements.value.decode(row.value));
                let elements = elements.collect::<Result<Vec<_>, _>>()?;
                let window = Window { start: session.start, end: session.end };
                let key = Windowed { key: self.sessions.key.decode(session.key.clone())?, window };
                self.next.forward(ctx, Record::new(key, elements, session.end))
            })
        };
        self.sessions.close(ctx, key, Some(emit))
    }
}

impl<K: Data, V: Data> Receive<K, V> for SessionCollect<K, V> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        if let Some((record, found)) = self.sessions.find(ctx, record, &self.late)? {
            let value = self.elements.value.encode(&record.value)?.ok_or(CodecError::Null)?;
            let absorbed = found.absorbed.iter().map(|(_, row)| self.counts.decode(row.value.clone()));
            let count = absorbed.sum::<Result<i64, _>>()? + 1;
            let count = self.counts.encode(&count)?.map(|value| Row { timestamp: found.end, value });
            self.sessions.replace(ctx, &found, count)?;
            self.elements.append(self.sessions.last_key(), Row { timestamp: record.timestamp, value })?;
            self.close(ctx, Some(self.sessions.last_key()))?;
        }
        Ok(())
    }
}

impl<K: Data, V: Data> Lifecycle for SessionCollect<K, V> {
    fn flush(&mut self, _ctx: &mut TaskContext) -> Outcome {
        Ok(self.sessions.time.save(&self.sessions.store)?)
    }

    fn erase(&mut self, ctx: &mut TaskContext, key: &[u8]) {
        self.sessions.time.erase(ctx, key);
    }

    fn tick(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.sessions.time.tick(ctx)?;
        self.close(ctx, None)
    }

    fn resume(&mut self, ctx: &mut TaskContext) -> Outcome {
        self.close(ctx, None)
    }
}
