//! A step that keeps a table's values in a store.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    super::{
        Materialized,
        builder::{SharedGraph, add_operator, add_store},
    },
    KTable,
};
use crate::{
    graph::{MAIN_PORT, NodeId},
    operators::{BuildNode, KeepTable, Receive},
    record::Data,
};

/// Adds a step that keeps what `parent` emits, either the values of a stream or the changes of a table. Returns the
/// step's node and its table, with a cache if the store was declared with one.
pub(in crate::dsl) fn kept<K: Data, V: Data, In: Data>(
    graph: &SharedGraph,
    label: &'static str,
    parent: NodeId,
    materialized: Materialized<K, V>,
) -> (NodeId, KTable<K, V>)
where
    KeepTable<K, V>: Receive<K, In>,
{
    let store = add_store(graph, &materialized, materialized.table_kind());
    let is_versioned = materialized.history_ms.is_some();
    let Materialized { key, value, cache_max_bytes, .. } = materialized;
    let build: BuildNode = Arc::new({
        let (name, key, value) = (store.clone(), key.clone(), value.clone());
        move |assembly, id| {
            let (store, skips_nothing) = (assembly.table_store(&name), assembly.skips_nothing(id));
            let sends_old = skips_nothing || assembly.sends_old(id);
            let (key, value, next) = (key.clone(), value.clone(), assembly.next(id, MAIN_PORT)?);
            assembly.expires(id, &name, &key, &value)?;
            let operator = KeepTable { store, key, value, sends_old, skips_nothing, next };
            assembly.input::<K, In>(id, Rc::new(RefCell::new(operator)));
            Ok(())
        }
    });
    let node = add_operator(graph, Some(&store), label, &[parent], vec![store.clone()], build);
    if is_versioned {
        let steps = &mut graph.borrow_mut().graph.skips_nothing;
        // A change that is nothing for the filter's input, which comes out of order, may end a value that the store has.
        if let Some(filter) = steps.get_mut(&parent) {
            *filter = false;
            steps.insert(node, true);
        }
    }
    let table = KTable::stored(graph.clone(), node, store, key, value.clone());
    (node, table.cached(value, cache_max_bytes))
}
