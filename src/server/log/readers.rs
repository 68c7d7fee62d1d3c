//! Readers that are kept open. A Kafka client uses threads and connections, too many to open a client for each page.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use tidemill::transport::{Reader, Transport, TransportError};

/// The most readers of a log that is not in this process.
pub(super) const OPEN: usize = 4;

/// Idle readers, and the number of all open readers.
#[derive(Default)]
struct Pool {
    idle: Vec<Box<dyn Reader>>,
    open: usize,
}

/// A bounded number of readers. A caller waits while all readers are in use.
pub(super) struct Readers {
    transport: Arc<dyn Transport>,
    most: usize,
    pool: Mutex<Pool>,
    returned: Condvar,
}

/// Counts a reader as open. Dropping this value counts the reader as closed, unless the reader is given back.
struct Place<'a>(&'a Readers);

impl Readers {
    pub(super) fn new(transport: Arc<dyn Transport>, most: usize) -> Self {
        Self { transport, most, pool: Mutex::default(), returned: Condvar::new() }
    }

    /// Reads with one of the readers. After an error, that reader is not used again.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&mut dyn Reader) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let (idle, place) = self.take();
        let mut reader = match idle {
            Some(reader) => reader,
            None => self.transport.reader()?,
        };
        let found = read(&mut *reader)?;
        // Without an assignment, an idle reader fetches nothing.
        if reader.assign(&[]).is_ok() {
            place.give_back(reader);
        }
        Ok(found)
    }

    fn take(&self) -> (Option<Box<dyn Reader>>, Place<'_>) {
        let pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |pool: &mut Pool| pool.idle.is_empty() && pool.open >= self.most;
        let mut pool = self.returned.wait_while(pool, full).unwrap_or_else(PoisonError::into_inner);
        let idle = pool.idle.pop();
        if idle.is_none() {
            pool.open += 1;
        }
        (idle, Place(self))
    }
}

impl Place<'_> {
    fn give_back(self, reader: Box<dyn Reader>) {
        let mut pool = self.0.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.idle.push(reader);
        // This balances the decrement when the place is dropped.
        pool.open += 1;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.pool.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
        self.0.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tidemill::transport::embedded::EmbeddedLog;

    use super::*;

    #[test]
    fn a_reader_is_used_again_and_one_that_failed_is_not() {
        let readers = Readers::new(Arc::new(EmbeddedLog::in_memory()), 1);
        let counts = || {
            let pool = readers.pool.lock().expect("not poisoned");
            (pool.idle.len(), pool.open)
        };
        readers.with(|_| Ok(())).expect("reads");
        assert_eq!(counts(), (1, 1));
        readers.with(|_| Ok(())).expect("reads");
        assert_eq!(counts(), (1, 1));
        assert!(readers.with(|_| Err::<(), _>(TransportError::Retriable("away".into()))).is_err());
        assert_eq!(counts(), (0, 0));
    }

    #[test]
    fn whoever_comes_when_all_are_in_use_waits() {
        let readers = Readers::new(Arc::new(EmbeddedLog::in_memory()), 1);
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let inside = readers.with(|_| {
                let waiting = scope.spawn(|| {
                    readers.with(|_| {
                        order.lock().expect("not poisoned").push("second");
                        Ok(())
                    })
                });
                std::thread::yield_now();
                order.lock().expect("not poisoned").push("first");
                Ok(waiting)
            });
            inside.expect("reads").join().expect("ends").expect("reads");
        });
        assert_eq!(*order.lock().expect("not poisoned"), ["first", "second"]);
    }
}
