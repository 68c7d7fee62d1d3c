//! The graph that the DSL writes, as a plain value.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Edge, Global, Node, NodeKind, PROCESS, Port, RowKeys, StoreFormat, StoreKind, StoreSpec, TypesByStore};
use crate::{
    names::{NodeId, NodeName, StoreName},
    transport::AutoOffsetReset,
};

/// The idle time of an operator: it lets time advance while the operator's input is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Idle {
    /// Time advances after the input was silent for this long.
    pub(crate) after_ms: i64,
    /// In stream time, everything that a record opened is closed this long after the record.
    pub(crate) open_ms: i64,
}

/// What a user says of the time to live of a store's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lifetime {
    pub(crate) live_ms: Option<i64>,
    pub(crate) idle_after_ms: Option<i64>,
}

/// When the rows of a store expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Live {
    /// A row expires this long after it was written.
    pub(crate) live_ms: i64,
    /// The silence of the task after which its time goes on. Without it, only records move the time.
    pub(crate) idle_after_ms: Option<i64>,
}

/// What a step erases.
#[derive(Debug, Clone)]
pub(crate) struct Erasure {
    /// The names of the stores, or of steps that have stores.
    pub(crate) from: Vec<Arc<str>>,
    /// The name of the codec of the step's keys, if the codec has one.
    pub(crate) key: Option<Cow<'static, str>>,
}

/// The graph while the DSL writes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) stores: BTreeMap<StoreName, StoreSpec>,
    /// Stores whose rows expire.
    pub(crate) times_to_live: BTreeMap<StoreName, Live>,
    /// Stores that each instance fills from a whole topic.
    pub(crate) globals: BTreeMap<StoreName, Global>,
    /// Nodes whose input topics must have equal partition counts, with the operator that requires this.
    pub(crate) copartitioned: Vec<(NodeName, Vec<NodeId>)>,
    /// Operators with an idle time.
    pub(crate) idles: BTreeMap<NodeId, Idle>,
    /// The types with which each store was declared, also of global stores.
    pub(crate) store_types: TypesByStore,
    /// How the rows of each store are named after the keys of records.
    pub(crate) row_keys: BTreeMap<StoreName, RowKeys>,
    /// The sources of repartition topics whose records have a partitioner of their own.
    pub(crate) own_partitioners: BTreeSet<NodeId>,
    /// The sources that were named by hand. Other sources have the names of their topics.
    pub(crate) named_sources: BTreeSet<NodeId>,
    /// Where sources begin in partitions that the application has never read.
    pub(crate) offset_resets: BTreeMap<NodeId, AutoOffsetReset>,
    /// The steps that erase keys.
    pub(crate) erasures: BTreeMap<NodeId, Erasure>,
    /// The tables whose changes carry the value before the change, because a later step needs it.
    pub(crate) old_values: BTreeSet<NodeId>,
    /// The tables that take their old values from other tables: those without a store of their own.
    pub(crate) takes_old_from: BTreeMap<NodeId, Vec<NodeId>>,
    /// The steps that leave out a change from nothing to nothing: filters. `false` if a versioned store behind one does it
    /// in its place.
    pub(crate) skips_nothing: BTreeMap<NodeId, bool>,
    /// How long after the end of a window, in stream time, its result is final: for each step that windows the
    /// partition's time.
    pub(crate) final_after_ms: BTreeMap<NodeId, i64>,
    /// The results of foreign-key joins, which have no store, with the names of the joins.
    pub(crate) foreign_key_joins: BTreeMap<NodeId, Arc<str>>,
    /// The sources of answers of foreign-key joins. An answer goes to where its key came from, whatever chose that.
    pub(crate) foreign_key_answers: BTreeSet<NodeId>,
    /// The sources of subscriptions to foreign keys. Their partitions are those of the right table.
    pub(crate) foreign_key_subscriptions: BTreeSet<NodeId>,
    /// Problems that the DSL found. They are reported together with all others.
    pub(crate) problems: Vec<String>,
}

impl Graph {
    /// Adds a node. If `name` is `None`, the name is the kind and a number; this suffices for nodes without state.
    pub(crate) fn add(
        &mut self,
        name: Option<&str>,
        kind: NodeKind,
        parents: Vec<Edge>,
        stores: Vec<StoreName>,
    ) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        let name = name.map_or_else(|| format!("{}-{}", kind.label(), id.0).into(), Into::into);
        self.nodes.push(Node { id, name, kind, parents, stores });
        id
    }

    /// Notes an operator's idle time, if it has one.
    pub(crate) fn note_idle(&mut self, node: NodeId, after_ms: Option<i64>, open_ms: i64) {
        if let Some(after_ms) = after_ms {
            self.idles.insert(node, Idle { after_ms, open_ms });
        }
    }

    /// The idle time of an operator and of its stores.
    pub(crate) fn idle_of(&self, node: NodeId) -> Option<Idle> {
        let live = |store| {
            let Live { live_ms, idle_after_ms } = self.times_to_live.get(store).copied()?;
            Some(Idle { after_ms: idle_after_ms?, open_ms: live_ms })
        };
        let all = self.idles.get(&node).copied().into_iter().chain(self.node(node).stores.iter().filter_map(live));
        let closed_ms = |idle: Idle| idle.after_ms.saturating_add(idle.open_ms);
        all.reduce(|one, other| {
            let after_ms = one.after_ms.min(other.after_ms);
            Idle { after_ms, open_ms: closed_ms(one).max(closed_ms(other)) - after_ms }
        })
    }

    /// Lets a table's changes carry the value before the change.
    pub(crate) fn send_old_values(&mut self, table: NodeId) {
        if self.old_values.insert(table) {
            for above in self.takes_old_from.get(&table).cloned().unwrap_or_default() {
                self.send_old_values(above);
            }
        }
    }

    /// How long after the end of a window its result is final at a node: the longest time of all windows above it.
    pub(crate) fn final_after(&self, node: NodeId) -> Option<i64> {
        let above = self.node(node).parents.iter().filter_map(|edge| self.final_after(edge.from));
        self.final_after_ms.get(&node).copied().or_else(|| above.max())
    }

    /// Whether a table's changes can carry the value before the change. Those of a foreign-key join cannot, unless a store
    /// keeps its result.
    pub(crate) fn can_send_old_values(&self, table: NodeId) -> bool {
        let above = self.takes_old_from.get(&table).map_or(&[][..], Vec::as_slice);
        !self.foreign_key_joins.contains_key(&table) && above.iter().all(|above| self.can_send_old_values(*above))
    }

    pub(crate) fn add_store(&mut self, spec: StoreSpec, rows: RowKeys, lifetime: Lifetime) {
        let name = spec.name.clone();
        let Lifetime { live_ms, idle_after_ms } = lifetime;
        match live_ms {
            Some(0) => self.problems.push(format!("the time to live of store '{name}' must be at least 1 ms")),
            Some(live_ms) if spec.kind == StoreKind::KeyValue => {
                self.times_to_live.insert(name.clone(), Live { live_ms, idle_after_ms });
            }
            Some(_) => self
                .problems
                .push(format!("store '{name}' has windows or versions: set their retention, not a time to live")),
            None if idle_after_ms.is_some() => {
                self.problems.push(format!("store '{name}' has an idle time, but no time to live that it could move"));
            }
            None => {}
        }
        self.row_keys.insert(name.clone(), rows);
        if self.stores.insert(name.clone(), spec).is_some() {
            self.problems.push(format!("two stores are named '{name}': give each its own name"));
        }
    }

    /// Adds a store, unless an equal one was added before.
    pub(crate) fn share_store(&mut self, spec: StoreSpec, rows: RowKeys, lifetime: Lifetime) {
        let known = self.times_to_live.get(&spec.name).map_or_else(Lifetime::default, |live| Lifetime {
            live_ms: Some(live.live_ms),
            idle_after_ms: live.idle_after_ms,
        });
        if self.stores.get(&spec.name) != Some(&spec) || known != lifetime {
            self.add_store(spec, rows, lifetime);
        }
    }

    /// The step with a processor of this name.
    pub(crate) fn processor(&self, name: &str) -> Option<NodeId> {
        let is_it = |node: &&Node| *node.name == *name && node.kind == NodeKind::Operator(PROCESS);
        self.nodes.iter().find(is_it).map(|node| node.id)
    }

    /// Connects a node to stores. A store that it is connected to already stays.
    pub(crate) fn connect(&mut self, node: NodeId, stores: impl IntoIterator<Item = StoreName>) {
        let connected = &mut self.nodes[node.index()].stores;
        for store in stores {
            if !connected.contains(&store) {
                connected.push(store);
            }
        }
    }

    /// Sets how the rows of a store are named after the keys of records.
    pub(crate) fn set_row_keys(&mut self, name: &StoreName, rows: RowKeys) {
        self.row_keys.insert(name.clone(), rows);
    }

    /// Adds fields to the format of a store.
    pub(crate) fn describe_store(&mut self, name: &str, describe: impl FnOnce(&mut StoreFormat)) {
        if let Some(spec) = self.stores.get_mut(name) {
            describe(&mut spec.format);
        }
    }

    /// Notes for each store the operator that writes it: the first node that has the store. Its readers come later.
    pub(crate) fn name_writers(&mut self) {
        for node in self.nodes.iter().filter(|node| !node.erases()) {
            for store in &node.stores {
                if let Some(spec) = self.stores.get_mut(store) {
                    spec.format.set_missing("operator", node.kind.label());
                }
            }
        }
    }

    /// The nodes that a node's port feeds, in the order of declaration. A node appears once for each edge.
    pub(crate) fn children(&self, id: NodeId, port: Port) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().flat_map(move |node| {
            let edges = node.parents.iter().filter(move |edge| edge.from == id && edge.port == port);
            edges.map(|_| node.id)
        })
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }
}
