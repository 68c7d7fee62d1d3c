//! A table whose updates are merged between commits.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use tidemill_state::Codec;

use super::{KTable, TableView};
use crate::{
    graph::{MAIN_PORT, StoreName, TABLE_CACHE},
    operators::{Assembly, BuildNode, EmittedView, SharedWaiting, TableCache, View},
    record::Data,
    table::Change,
};

impl<K: Data, V: Data> KTable<K, V> {
    /// The table with merged updates, if its store was declared with a cache.
    pub(in crate::dsl) fn cached(self, value: Arc<dyn Codec<V>>, cache_max_bytes: Option<usize>) -> Self {
        let (Some(max_bytes), Some(store)) = (cache_max_bytes, self.store.clone()) else { return self };
        let key = self.view.key.clone();
        // No store can have this name, so nothing else is kept beside it.
        let beside: StoreName = format!("{store} (cache)").into();
        let build: BuildNode = Arc::new({
            let (beside, key) = (beside.clone(), key.clone());
            move |assembly, id| {
                let waiting = assembly.beside::<SharedWaiting<K, V>>(&beside);
                let (sends_old, next) = (assembly.sends_old(id), assembly.next(id, MAIN_PORT)?);
                let (key, value) = (key.clone(), value.clone());
                let cache = Rc::new(RefCell::new(TableCache { waiting, key, value, sends_old, max_bytes, next }));
                assembly.input::<K, Change<V>>(id, cache.clone());
                assembly.lifecycle(id, cache);
                Ok(())
            }
        });
        let node = self.add(None, TABLE_CACHE, vec![store.clone()], build);
        self.graph.borrow_mut().graph.send_old_values(self.node);
        let above = self.view.clone();
        let open = move |assembly: &Assembly<'_>| -> Box<dyn View<K, V>> {
            let of = above.open(assembly);
            if assembly.opens_latest.get() {
                return of;
            }
            let waiting = assembly.beside::<SharedWaiting<K, V>>(&beside);
            Box::new(EmittedView { of, waiting, key: key.clone() })
        };
        let view = TableView::new(self.view.stores.clone(), self.view.key.clone(), open);
        KTable::new(self.graph.clone(), node, Some(store), view)
    }
}
