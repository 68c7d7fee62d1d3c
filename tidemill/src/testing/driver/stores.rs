//! The stores of a driver's tasks, for the test to read.

use tidemill_state::{Coded, KeyValueStore, SessionStore, VersionedStore, WindowStore};

use super::TopologyTestDriver;
use crate::{
    error::TaskError,
    graph::{SharedCodecs, StoreShape},
    operators::StoreHandle,
};

impl TopologyTestDriver {
    /// The key-value store of a task, by partition (`getKeyValueStore` in Kafka Streams). `None` if no task of that
    /// partition has this store. Use it to read: an aggregate keeps its values in memory, so it may not see what a test
    /// writes.
    ///
    /// # Errors
    ///
    /// If a task fails, or if the topology has no such store with these types.
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
        let (key, value) = self.codecs(name, StoreShape::KeyValue)?;
        Ok(match self.store(name, partition)? {
            Some(StoreHandle::KeyValue(store)) => Some(KeyValueStore::new(store, key, value)),
            _ => None,
        })
    }

    /// The window store of a task, by partition (`getWindowStore` in Kafka Streams). `None` if no task of that
    /// partition has this store. Use it to read, as [`key_value_store`](Self::key_value_store).
    ///
    /// # Errors
    ///
    /// If a task fails, or if the topology has no such store with these types.
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
        let (key, value) = self.codecs(name, StoreShape::Window)?;
        Ok(match self.store(name, partition)? {
            Some(StoreHandle::Window(store)) => Some(WindowStore::new(store, key, value)),
            _ => None,
        })
    }

    /// The session store of a task, by partition (`getSessionStore` in Kafka Streams). `None` if no task of that
    /// partition has this store. Use it to read, as [`key_value_store`](Self::key_value_store).
    ///
    /// # Errors
    ///
    /// If a task fails, or if the topology has no such store with these types.
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
        let (key, value) = self.codecs(name, StoreShape::Session)?;
        Ok(match self.store(name, partition)? {
            Some(StoreHandle::Session(store)) => Some(SessionStore::new(store, key, value)),
            _ => None,
        })
    }

    /// The versioned store of a task, by partition (`getVersionedKeyValueStore` in Kafka Streams). `None` if no task of
    /// that partition has this store. Use it to read, as [`key_value_store`](Self::key_value_store).
    ///
    /// # Errors
    ///
    /// If a task fails, or if the topology has no such store with these types. See the example of [`StreamsBuilder::add_versioned_store`](crate::StreamsBuilder::add_versioned_store)
    /// for such a store.
    pub fn versioned_store<K: Coded, V: Coded>(
        &self,
        name: &str,
        partition: i32,
    ) -> Result<Option<VersionedStore<K, V>>, TaskError> {
        let (key, value) = self.codecs(name, StoreShape::Versioned)?;
        Ok(match self.store(name, partition)? {
            Some(StoreHandle::Versioned(store)) => Some(VersionedStore::new(store, key, value)),
            _ => None,
        })
    }

    /// The codecs of a store, if it is of this kind and has these types.
    fn codecs<K: Coded, V: Coded>(&self, name: &str, shape: StoreShape) -> Result<SharedCodecs<K, V>, TaskError> {
        let types = self.core.app.plan.graph().store_types.get(name);
        Ok(types.ok_or_else(|| TaskError::UnknownStore(name.to_owned()))?.codecs(name, shape)?)
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
