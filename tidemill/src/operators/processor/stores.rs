//! The stores that a processor is connected to.

use std::sync::Arc;

use tidemill_state::{BoxError, Codec, Coded, KeyValueStore, SessionStore, VersionedStore, WindowStore};

use super::ProcessingContext;
use crate::{
    graph::{StoreShape, StoreTypes},
    operators::StoreHandle,
};

impl ProcessingContext<'_> {
    /// A key-value store that is connected to this processor (`ProcessingContext.getStateStore` in Kafka
    /// Streams). The types must be those with which the store was declared. Its codecs are the declared ones.
    /// See the example of [`Processor`](super::Processor).
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is of another kind, or has other types.
    pub fn key_value_store<SK: Coded, SV: Coded>(&self, name: &str) -> Result<KeyValueStore<SK, SV>, BoxError> {
        let (handle, types) = self.store(name)?;
        let (key, value) = types.codecs(name, StoreShape::KeyValue)?;
        match handle {
            StoreHandle::KeyValue(store) => Ok(KeyValueStore::new(store.clone(), key, value)),
            other => Err(other_kind(name, other)),
        }
    }

    /// A key-value store that is connected to this processor, with the given codecs. They must be those with which the
    /// store was declared.
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is of another kind.
    ///
    /// ```
    /// # use tidemill::{Materialized, processor::{Processor, ProcessorContext, Record}};
    /// # use tidemill::state::{BigEndian, BoxError, Json};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Remembers the items of each user, as JSON.
    /// struct Items;
    ///
    /// impl Processor<u64, String, (), ()> for Items {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, (), ()>,
    ///         order: Record<u64, String>,
    ///     ) -> Result<(), BoxError> {
    ///         let items = ctx.key_value_store_with("items", BigEndian, Json::<Vec<String>>::default())?;
    ///         let mut list = items.get(&order.key)?.unwrap_or_default();
    ///         list.push(order.value);
    ///         Ok(items.put(&order.key, &list, order.timestamp)?)
    ///     }
    /// }
    ///
    /// builder.add_key_value_store(Materialized::<u64, _>::with("items", BigEndian, Json::<Vec<String>>::default()));
    /// builder.stream::<u64, String>("orders").process("items-of-user", &["items"], || Items);
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("orders").pipe_all([(1, "tea".into(), 0), (1, "jam".into(), 1)])?;
    /// let items = driver.key_value_store::<u64, String>("items", 0)?.expect("it runs");
    /// assert_eq!(items.get(&1)?.as_deref(), Some(r#"["tea","jam"]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn key_value_store_with<SK: 'static, SV: 'static>(
        &self,
        name: &str,
        key: impl Codec<SK>,
        value: impl Codec<SV>,
    ) -> Result<KeyValueStore<SK, SV>, BoxError> {
        match &self.store(name)?.0 {
            StoreHandle::KeyValue(store) => Ok(KeyValueStore::new(store.clone(), Arc::new(key), Arc::new(value))),
            other => Err(other_kind(name, other)),
        }
    }

    /// A window store that is connected to this processor (`ProcessingContext.getStateStore` in Kafka Streams). The
    /// types must be those with which the store was declared. See the example of
    /// [`StreamsBuilder::add_window_store`](crate::StreamsBuilder::add_window_store).
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is of another kind, or has other types.
    pub fn window_store<SK: Coded, SV: Coded>(&self, name: &str) -> Result<WindowStore<SK, SV>, BoxError> {
        let (handle, types) = self.store(name)?;
        let (key, value) = types.codecs(name, StoreShape::Window)?;
        match handle {
            StoreHandle::Window(store) => Ok(WindowStore::new(store.clone(), key, value)),
            other => Err(other_kind(name, other)),
        }
    }

    /// A window store that is connected to this processor, with the given codecs. See the example of
    /// [`key_value_store_with`](Self::key_value_store_with).
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is of another kind.
    pub fn window_store_with<SK: 'static, SV: 'static>(
        &self,
        name: &str,
        key: impl Codec<SK>,
        value: impl Codec<SV>,
    ) -> Result<WindowStore<SK, SV>, BoxError> {
        match &self.store(name)?.0 {
            StoreHandle::Window(store) => Ok(WindowStore::new(store.clone(), Arc::new(key), Arc::new(value))),
            other => Err(other_kind(name, other)),
        }
    }

    /// A session store that is connected to this processor (`ProcessingContext.getStateStore` in Kafka Streams). The
    /// types must be those with which the store was declared. See the example of
    /// [`StreamsBuilder::add_session_store`](crate::StreamsBuilder::add_session_store).
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is of another kind, or has other types.
    pub fn session_store<SK: Coded, SV: Coded>(&self, name: &str) -> Result<SessionStore<SK, SV>, BoxError> {
        let (handle, types) = self.store(name)?;
        let (key, value) = types.codecs(name, StoreShape::Session)?;
        match handle {
            StoreHandle::Session(store) => Ok(SessionStore::new(store.clone(), key, value)),
            other => Err(other_kind(name, other)),
        }
    }

    /// A session store that is connected to this processor, with the given codecs. See the example of
    /// [`key_value_store_with`](Self::key_value_store_with).
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is of another kind.
    pub fn session_store_with<SK: 'static, SV: 'static>(
        &self,
        name: &str,
        key: impl Codec<SK>,
        value: impl Codec<SV>,
    ) -> Result<SessionStore<SK, SV>, BoxError> {
        match &self.store(name)?.0 {
            StoreHandle::Session(store) => Ok(SessionStore::new(store.clone(), Arc::new(key), Arc::new(value))),
            other => Err(other_kind(name, other)),
        }
    }

    /// A versioned store that is connected to this processor (`ProcessingContext.getStateStore` in Kafka Streams). The
    /// types must be those with which the store was declared. See the example of
    /// [`StreamsBuilder::add_versioned_store`](crate::StreamsBuilder::add_versioned_store).
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is of another kind, or has other types.
    pub fn versioned_store<SK: Coded, SV: Coded>(&self, name: &str) -> Result<VersionedStore<SK, SV>, BoxError> {
        let (handle, types) = self.store(name)?;
        let (key, value) = types.codecs(name, StoreShape::Versioned)?;
        match handle {
            StoreHandle::Versioned(store) => Ok(VersionedStore::new(store.clone(), key, value)),
            other => Err(other_kind(name, other)),
        }
    }

    /// A versioned store that is connected to this processor, with the given codecs. See the example of
    /// [`key_value_store_with`](Self::key_value_store_with).
    ///
    /// # Errors
    ///
    /// If no store of this name is connected, or the store is of another kind.
    pub fn versioned_store_with<SK: 'static, SV: 'static>(
        &self,
        name: &str,
        key: impl Codec<SK>,
        value: impl Codec<SV>,
    ) -> Result<VersionedStore<SK, SV>, BoxError> {
        match &self.store(name)?.0 {
            StoreHandle::Versioned(store) => Ok(VersionedStore::new(store.clone(), Arc::new(key), Arc::new(value))),
            other => Err(other_kind(name, other)),
        }
    }

    fn store(&self, name: &str) -> Result<&(StoreHandle, StoreTypes), BoxError> {
        self.environment.stores.get(name).ok_or_else(|| {
            let known: Vec<_> = self.environment.stores.keys().map(|name| &**name).collect();
            format!("store '{name}' is not connected to this processor; connected are [{}]", known.join(", ")).into()
        })
    }
}

fn other_kind(name: &str, store: &StoreHandle) -> BoxError {
    let shape = store.shape();
    format!("store '{name}' is a {} store: ask with {}_with", shape.in_words(), shape.method()).into()
}
