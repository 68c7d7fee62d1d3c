//! How a later step reads a table's values.

use std::sync::Arc;

use tidemill_state::Codec;

use crate::{
    graph::StoreName,
    operators::{Assembly, View},
    record::Data,
};

type Open<K, V> = Arc<dyn Fn(&Assembly<'_>) -> Box<dyn View<K, V>> + Send + Sync>;

/// The stores that a table's values are in, and how a task opens them.
pub(crate) struct TableView<K, V> {
    pub(crate) stores: Vec<StoreName>,
    pub(crate) key: Arc<dyn Codec<K>>,
    /// How long the versions of a versioned table are kept.
    pub(crate) history_ms: Option<i64>,
    open: Open<K, V>,
}

impl<K, V> Clone for TableView<K, V> {
    fn clone(&self) -> Self {
        let (stores, key, open) = (self.stores.clone(), self.key.clone(), self.open.clone());
        Self { stores, key, history_ms: self.history_ms, open }
    }
}

impl<K: Data, V: Data> TableView<K, V> {
    pub(crate) fn new(
        stores: Vec<StoreName>,
        key: Arc<dyn Codec<K>>,
        open: impl Fn(&Assembly<'_>) -> Box<dyn View<K, V>> + Send + Sync + 'static,
    ) -> Self {
        Self { stores, key, history_ms: None, open: Arc::new(open) }
    }

    /// Sets how long versions are kept. Without it, the table has no versions.
    pub(crate) fn with_history(self, history_ms: Option<i64>) -> Self {
        Self { history_ms, ..self }
    }

    /// As [`open`](Self::open), with values that the steps below the table do not know yet.
    pub(crate) fn open_latest(&self, assembly: &Assembly<'_>) -> Box<dyn View<K, V>> {
        assembly.opens_latest.set(true);
        let view = self.open(assembly);
        assembly.opens_latest.set(false);
        view
    }

    /// Opens the values for one step of a task. The step's node must name [`stores`](Self::stores).
    pub(crate) fn open(&self, assembly: &Assembly<'_>) -> Box<dyn View<K, V>> {
        (self.open)(assembly)
    }
}
