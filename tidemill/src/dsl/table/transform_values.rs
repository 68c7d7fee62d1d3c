//! A table whose values a transformer makes.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{KTable, TableView};
use crate::{
    graph::{MAIN_PORT, PROCESS, StoreName},
    operators::{
        Assembly, BuildNode, ProcessorNode, TransformValues, TransformedView, View,
        transform_values::ValueTransformerWithKey,
    },
    record::Data,
    table::Change,
};

impl<K: Data, V: Data> KTable<K, V> {
    /// Makes another value of each value, with a [`ValueTransformerWithKey`] that may use stores
    /// (`KTable.transformValues` in Kafka Streams, KIP-149). The key stays. `name` names the step, `stores` names the
    /// stores that the transformer uses, and `supplier` makes transformers.
    ///
    /// The transformer gets each new value, and `None` for a tombstone. If a later step needs the values before each
    /// update, such as a group, the transformer also gets those, after the new value. A join with the result transforms
    /// the value of the key at each look-up, also a missing one, and does so with a transformer of its own. If such
    /// calls must not repeat, for example because the transformer counts them, put
    /// [`materialized`](Self::materialized) after the step: then each update is transformed once, and the result has a
    /// store.
    ///
    /// ```
    /// # use tidemill::{processor::{ValueTransformerContext, ValueTransformerWithKey}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// How often the value of a key was set.
    /// struct Versions;
    ///
    /// impl ValueTransformerWithKey<u64, String, String> for Versions {
    ///     fn transform(
    ///         &mut self,
    ///         ctx: &mut ValueTransformerContext<'_>,
    ///         key: &u64,
    ///         name: Option<&String>,
    ///     ) -> Result<Option<String>, BoxError> {
    ///         let versions = ctx.key_value_store::<u64, i64>("versions")?;
    ///         let version = versions.get(key)?.unwrap_or(0) + 1;
    ///         versions.put(key, &version, ctx.current_stream_time_ms())?;
    ///         Ok(name.map(|name| format!("{name} (version {version})")))
    ///     }
    /// }
    ///
    /// builder.add_key_value_store::<u64, i64>("versions");
    /// let names = builder.table::<u64, String>("users", "names");
    /// names.transform_values("version", &["versions"], || Versions).materialized("versioned-names");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("users").pipe_all([(1, "Ann".into(), 0), (1, "Anna".into(), 1)])?;
    /// let names = driver.key_value_store::<u64, String>("versioned-names", 0)?.expect("it runs");
    /// assert_eq!(names.get(&1)?, Some("Anna (version 2)".to_owned()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn transform_values<V2: Data, T>(
        &self,
        name: &str,
        stores: &[&str],
        supplier: impl Fn() -> T + Send + Sync + 'static,
    ) -> KTable<K, V2>
    where
        T: ValueTransformerWithKey<K, V, V2> + 'static,
    {
        let (supplier, above) = (Arc::new(supplier), self.view.clone());
        let stores: Vec<StoreName> = stores.iter().map(|store| (*store).into()).collect();
        let build: BuildNode = Arc::new({
            let supplier = supplier.clone();
            move |assembly, id| {
                let processor = TransformValues { transformer: supplier(), sends_old: assembly.sends_old(id) };
                let next = assembly.next::<K, Change<V2>>(id, MAIN_PORT)?;
                let (environment, unclocked) = (assembly.environment(id), assembly.unclocked_stores(id));
                let node = Rc::new(RefCell::new(ProcessorNode::new(processor, environment, next, unclocked)));
                assembly.input::<K, Change<V>>(id, node.clone());
                assembly.lifecycle(id, node);
                Ok(())
            }
        });
        // For stores, the step is as a processor: only the user's code knows what it keeps.
        let node = self.add(Some(name), PROCESS, stores.clone(), build);
        self.graph.borrow_mut().graph.takes_old_from.insert(node, vec![self.node]);
        let all = self.view.stores.iter().chain(&stores).cloned().collect();
        let open = move |assembly: &Assembly<'_>| -> Box<dyn View<K, V2>> {
            let (of, environment) = (above.open(assembly), assembly.environment_with(node, &stores));
            Box::new(TransformedView { of, transformer: supplier(), environment, is_open: false })
        };
        let view = TableView::new(all, self.view.key.clone(), open).with_history(self.view.history_ms);
        KTable::new(self.graph.clone(), node, None, view)
    }
}
