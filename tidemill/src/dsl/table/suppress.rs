//! A step that holds a table's updates back.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    super::{Materialized, builder::add_store},
    KTable, TableView,
};
use crate::{
    error::TaskError,
    graph::{MAIN_PORT, RowKeys, StoreKind},
    operators::{Assembly, BuildNode, Suppress, SuppressRule, SuppressedView, UPDATE, View},
    record::Data,
    table::Change,
    windows::Suppressed,
};

impl<K: Data, V: Data> KTable<K, V> {
    /// Holds updates back, so that a later step sees fewer of them or final results alone (`KTable.suppress` in Kafka
    /// Streams, KIP-328). What is held back is in a store with a changelog: `materialized` names it. It survives a crash.
    ///
    /// Time is the highest timestamp of the updates that reach this step, and it is kept with the store. Results of
    /// windows with an inclusive end (sessions, sliding windows) come out when no record can change them any more; Kafka
    /// Streams emits them one millisecond earlier, and may emit them again.
    ///
    /// See the examples of [`Suppressed`].
    pub fn suppress(&self, materialized: impl Into<Materialized<K, V>>, suppressed: Suppressed<K>) -> KTable<K, V> {
        let materialized = materialized.into();
        let store = add_store(&self.graph, &materialized, StoreKind::KeyValue);
        if materialized.live_ms.is_some() {
            let problem = format!("store '{store}' holds updates back and cannot have a time to live");
            self.graph.borrow_mut().graph.problems.push(problem);
        }
        if self.view.history_ms.is_some() {
            let problem = format!(
                "'{store}' holds back the updates of a versioned table, which come out of order: put \
                 .materialized(\"a-name\") before it, with a store that keeps no versions"
            );
            self.graph.borrow_mut().graph.problems.push(problem);
        }
        let Materialized { key, value, .. } = materialized;
        let rule = self.suppress_rule(&store, suppressed);
        let wait_ms = rule.wait_ms;
        let build: BuildNode = Arc::new({
            let (name, key, value, rule) = (store.clone(), key.clone(), value.clone(), rule.clone());
            move |assembly, id| {
                let (rows, next) = (assembly.key_value_store(&name), assembly.next(id, MAIN_PORT)?);
                let operator = Suppress::open(rule.clone(), rows, key.clone(), value.clone(), next);
                let operator = operator.map_err(|source| TaskError::of_store(assembly.task, source))?;
                let operator = Rc::new(RefCell::new(operator));
                assembly.input::<K, Change<V>>(id, operator.clone());
                assembly.lifecycle(id, operator);
                Ok(())
            }
        });
        let node = self.add(Some(&store), "suppress", vec![store.clone()], build);
        {
            let graph = &mut self.graph.borrow_mut().graph;
            graph.set_row_keys(&store, RowKeys::of(key.clone()).behind(&[&[UPDATE]]));
            graph.note_idle(node, rule.idle_ms, wait_ms);
            if !rule.is_final {
                graph.send_old_values(self.node);
            }
        }
        let above = self.view.clone();
        let stores = above.stores.iter().cloned().chain([store.clone()]).collect();
        let open = move |assembly: &Assembly<'_>| -> Box<dyn View<K, V>> {
            let (of, buffer) = (above.open(assembly), assembly.key_value_store(&store));
            Box::new(SuppressedView { of, buffer, key: key.clone(), value: value.clone() })
        };
        KTable::new(self.graph.clone(), node, None, TableView::new(stores, self.view.key.clone(), open))
    }

    fn suppress_rule(&self, store: &str, suppressed: Suppressed<K>) -> SuppressRule<K> {
        let Suppressed { time_of, wait_ms, buffer, idle_ms } = suppressed;
        let graph = &mut self.graph.borrow_mut().graph;
        let is_final = wait_ms.is_none();
        if is_final && buffer.emits_early {
            graph.problems.push(format!(
                "'{store}' waits until windows close, so its buffer must not emit early: use shut_down_when_full"
            ));
        }
        let wait_ms = wait_ms.or_else(|| graph.final_after(self.node)).unwrap_or_else(|| {
            graph.problems.push(format!(
                "'{store}' waits until windows close, but no windows of the partition's time stand before it: \
                 use until_time_limit, or EmitStrategy::on_window_close where each key has its own time"
            ));
            0
        });
        SuppressRule { time_of, wait_ms, is_final, buffer, idle_ms }
    }
}
