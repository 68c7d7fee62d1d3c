//! The stores of a driver's tasks, for the test to read.

use std::sync::Arc;

use tidemill_state::{Coded, KeyValueStore, SessionStore, VersionedStore, WindowStore};

use super::TopologyTestDriver;
use crate::{error::TaskError, operators::StoreHandle};

impl TopologyTestDriver {
    /// The key-value store of a task, by partition (`getKeyValueStore` in Kafka Streams). `None` if no task of that
    /// partition has this store. Use it to read: an aggregate keeps its values in memory, so it may not see what a test
    /// writes.
    ///
    /// # Errors
    ///
    /// If a task fails.
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// builder.stream::<u64, String>("chat").group_by_key().count("messages");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe(1, "hi".into(), 5)?;
    /// let messages = driver.key_value_store::<u64, i64>("messages", 0)?.expect("partition 0 has a task");
    /// assert_eq!(messages.get_with_timestamp(&1)?, Some((1, 5)));
    /// assert!(driver.key_value_store::<u64, i64>("messages", 1)?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn key_value_store<K: Coded, V: Coded>(
        &self,
        name: &str,
        partition: i32,
    ) -> Result<Option<KeyValueStore<K, V>>, TaskError> {
        Ok(match self.store(name, partition)? {
            Some(StoreHandle::KeyValue(store)) => {
                Some(KeyValueStore::new(store, Arc::new(K::Codec::default()), Arc::new(V::Codec::default())))
            }
            _ => None,
        })
    }

    /// The window store of a task, by partition (`getWindowStore` in Kafka Streams). `None` if no task of that
    /// partition has this store. Use it to read, as [`key_value_store`](Self::key_value_store).
    ///
    /// # Errors
    ///
    /// If a task fails.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::TimeWindows;
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// builder.stream::<u64, String>("chat").group_by_key().windowed_by(minutes).collect("chat-minutes");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("chat").pipe_all([(1, "hi".into(), 0), (1, "you".into(), 1)])?;
    /// let minutes = driver.window_store::<u64, String>("chat-minutes", 0)?.expect("partition 0 has a task");
    /// assert_eq!(minutes.elements(&1, 0)?, ["hi", "you"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn window_store<K: Coded, V: Coded>(
        &self,
        name: &str,
        partition: i32,
    ) -> Result<Option<WindowStore<K, V>>, TaskError> {
        Ok(match self.store(name, partition)? {
            Some(StoreHandle::Window(store)) => {
                Some(WindowStore::new(store, Arc::new(K::Codec::default()), Arc::new(V::Codec::default())))
            }
            _ => None,
        })
    }

    /// The session store of a task, by partition (`getSessionStore` in Kafka Streams). `None` if no task of that
    /// partition has this store. Use it to read, as [`key_value_store`](Self::key_value_store).
    ///
    /// # Errors
    ///
    /// If a task fails.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{SessionWindows, state::Session};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(30));
    /// builder.stream::<u64, String>("views").group_by_key().windowed_by(visits).count("visits");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("views").pipe_all([(1, "/".into(), 0), (1, "/cart".into(), 10_000)])?;
    /// let visits = driver.session_store::<u64, i64>("visits", 0)?.expect("partition 0 has a task");
    /// assert_eq!(visits.fetch(&1).read_all()?, [(Session { start: 0, end: 10_000 }, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn session_store<K: Coded, V: Coded>(
        &self,
        name: &str,
        partition: i32,
    ) -> Result<Option<SessionStore<K, V>>, TaskError> {
        Ok(match self.store(name, partition)? {
            Some(StoreHandle::Session(store)) => {
                Some(SessionStore::new(store, Arc::new(K::Codec::default()), Arc::new(V::Codec::default())))
            }
            _ => None,
        })
    }

    /// The versioned store of a task, by partition (`getVersionedKeyValueStore` in Kafka Streams). `None` if no task of
    /// that partition has this store. Use it to read, as [`key_value_store`](Self::key_value_store).
    ///
    /// # Errors
    ///
    /// If a task fails. See the example of [`StreamsBuilder::add_versioned_store`](crate::StreamsBuilder::add_versioned_store)
    /// for such a store.
    pub fn versioned_store<K: Coded, V: Coded>(
        &self,
        name: &str,
        partition: i32,
    ) -> Result<Option<VersionedStore<K, V>>, TaskError> {
        Ok(match self.store(name, partition)? {
            Some(StoreHandle::Versioned(store)) => {
                Some(VersionedStore::new(store, Arc::new(K::Codec::default()), Arc::new(V::Codec::default())))
            }
            _ => None,
        })
    }

    fn store(&self, name: &str, partition: i32) -> Result<Option<StoreHandle>, TaskError> {
        self.core.run()?;
        if let Some(store) = self.core.app.settings.globals.reading(name) {
            return Ok(Some(StoreHandle::KeyValue(store)));
        }
        self.core.with_thread(|thread| {
            let stores = thread.stores()?;
            let task = stores.iter().find(|task| task.task.partition == partition && task.handles.contains_key(name));
            Ok(task.map(|task| task.handles[name].clone()))
        })
    }
}
