//! Builds a task's operators from the graph. Types are checked and erased here, once for each task.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    rc::Rc,
    sync::Arc,
};

use tidemill_state::{ByteSessionStore, ByteStore, ByteVersionedStore, ByteWindowStore, Codec};

use super::{
    GlobalStores, Limits, Next, SinkLimits, SinkTopic, TableStore, Target,
    link::{Lifecycle, Lifecycles, Link},
    processor::{Application, Environment},
    source::SourceQueue,
    time_to_live::TimeToLive,
};
use crate::{
    error::TaskError,
    graph::{
        Graph, MAIN_PORT, Node, NodeId, NodeKind, PROCESS, Port, RowKeys, StoreName, StoreShape, StoreTypes,
        TABLE_CACHE, TopicRef,
    },
    names::TaskId,
    record::Data,
    transport::{Topic, TopicPartition},
};

/// A task's store; operators and queries share it.
#[derive(Clone)]
pub(crate) enum StoreHandle {
    KeyValue(Rc<RefCell<ByteStore>>),
    Window(Rc<RefCell<ByteWindowStore>>),
    Versioned(Rc<RefCell<ByteVersionedStore>>),
    Session(Rc<RefCell<ByteSessionStore>>),
}

impl StoreHandle {
    /// The store's kind.
    pub(crate) fn shape(&self) -> StoreShape {
        match self {
            Self::KeyValue(_) => StoreShape::KeyValue,
            Self::Window(_) => StoreShape::Window,
            Self::Session(_) => StoreShape::Session,
            Self::Versioned(_) => StoreShape::Versioned,
        }
    }
}

/// Builds a node's operator for one task and, first, the operators of its children.
pub(crate) type BuildNode = Arc<dyn Fn(&mut Assembly<'_>, NodeId) -> Result<(), TaskError> + Send + Sync>;

/// The builder of each node's operator, by node id.
#[derive(Clone, Default)]
pub(crate) struct Builders(Vec<BuildNode>);

impl Builders {
    /// Adds the builder of the next node.
    pub(crate) fn push(&mut self, build: BuildNode) {
        self.0.push(build);
    }

    /// Replaces the builder of a node.
    pub(crate) fn replace(&mut self, id: NodeId, build: BuildNode) {
        self.0[id.index()] = build;
    }
}

impl fmt::Debug for Builders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} builders", self.0.len())
    }
}

/// The parts that operators are built from.
pub(crate) struct Parts<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) builders: &'a Builders,
    pub(crate) stores: &'a BTreeMap<StoreName, StoreHandle>,
    pub(crate) globals: &'a GlobalStores,
    /// Maps a topic to its name on the log and its number of partitions.
    pub(crate) topic: &'a dyn Fn(&TopicRef) -> (Topic, i32),
    /// The topics that sinks may write without declaring them, with their partition counts.
    pub(crate) undeclared: &'a Arc<BTreeMap<Topic, i32>>,
    /// What the topics take that operators write.
    pub(crate) limits: &'a Arc<Limits>,
    /// The task's input partitions, in the order of its queues.
    pub(crate) partitions: Vec<TopicPartition>,
    pub(crate) application: Arc<Application>,
}

/// A task's operators while they are put together.
pub(crate) struct Assembly<'a> {
    parts: Parts<'a>,
    pub(crate) task: TaskId,
    /// Whether records that an operator rejects are left out without effects.
    leaves_out: bool,
    /// The node that is being built. After a panic, the node that panicked.
    pub(crate) building: NodeId,
    /// `Rc<dyn Target<K, V>>` of each node built, boxed as `Any`.
    inputs: BTreeMap<NodeId, Box<dyn Any>>,
    /// What the operators of a store share in memory.
    beside: RefCell<BTreeMap<StoreName, Box<dyn Any>>>,
    /// Whether views are opened for the latest values, also those that later steps do not know yet.
    pub(crate) opens_latest: Cell<bool>,
    pub(crate) sources: BTreeMap<NodeId, Box<dyn SourceQueue>>,
    pub(crate) lifecycles: Lifecycles,
    /// The times to live of the stores of tables.
    pub(crate) times_to_live: BTreeMap<StoreName, TimeToLive>,
}

impl<'a> Assembly<'a> {
    pub(crate) fn new(parts: Parts<'a>, task: TaskId, leaves_out: bool) -> Self {
        Self {
            parts,
            task,
            leaves_out,
            building: NodeId(0),
            inputs: BTreeMap::new(),
            beside: RefCell::default(),
            opens_latest: Cell::new(false),
            sources: BTreeMap::new(),
            lifecycles: BTreeMap::new(),
            times_to_live: BTreeMap::new(),
        }
    }

    /// Builds a node after its children, unless it is built already.
    pub(crate) fn build(&mut self, id: NodeId) -> Result<(), TaskError> {
        if self.inputs.contains_key(&id) || self.sources.contains_key(&id) {
            return Ok(());
        }
        let build = self.parts.builders.0[id.index()].clone();
        let child_of = std::mem::replace(&mut self.building, id);
        build(self, id)?;
        self.building = child_of;
        Ok(())
    }

    /// Builds the children of a node's port and returns them.
    pub(crate) fn next<K: Data, V: Data>(&mut self, id: NodeId, port: Port) -> Result<Next<K, V>, TaskError> {
        let children: Vec<_> = self.parts.graph.children(id, port).collect();
        let mut links = Vec::with_capacity(children.len());
        for child in children {
            self.build(child)?;
            let target = self.inputs[&child]
                .downcast_ref::<Rc<dyn Target<K, V>>>()
                .expect("the DSL's types make edges agree")
                .clone();
            links.push(Link { id: child, target });
        }
        Ok(Next::new(links))
    }

    /// Registers an operator as the input of its node.
    pub(crate) fn input<K: Data, V: Data>(&mut self, id: NodeId, operator: Rc<dyn Target<K, V>>) {
        self.inputs.insert(id, Box::new(operator));
    }

    /// Registers an operator for commits, ticks and punctuations.
    pub(crate) fn lifecycle(&mut self, id: NodeId, operator: Rc<RefCell<dyn Lifecycle>>) {
        self.lifecycles.insert(id, operator);
    }

    /// Builds the operator that several input nodes feed, and returns it.
    pub(crate) fn shared<T: 'static>(&mut self, owner: NodeId) -> Result<Rc<RefCell<T>>, TaskError> {
        self.build(owner)?;
        let shared = self.inputs[&owner].downcast_ref::<Rc<RefCell<T>>>();
        Ok(shared.expect("the DSL's types make inputs and core agree").clone())
    }

    /// Registers the operator that several input nodes feed, under the node that emits.
    pub(crate) fn share<T: 'static>(&mut self, owner: NodeId, part: Rc<RefCell<T>>) {
        self.inputs.insert(owner, Box::new(part));
    }

    /// What the operators of a store share in memory. The first of them creates it.
    pub(crate) fn beside<T: Clone + Default + 'static>(&self, store: &StoreName) -> T {
        let mut beside = self.beside.borrow_mut();
        let shared = beside.entry(store.clone()).or_insert_with(|| Box::new(T::default()));
        shared.downcast_ref::<T>().expect("the operators of a store share one type").clone()
    }

    pub(crate) fn key_value_store(&self, name: &str) -> Rc<RefCell<ByteStore>> {
        match &self.parts.stores[name] {
            StoreHandle::KeyValue(store) => store.clone(),
            _ => unreachable!("the DSL declared '{name}' as a key-value store"),
        }
    }

    /// The store of a table.
    pub(crate) fn table_store(&self, name: &str) -> TableStore {
        match &self.parts.stores[name] {
            StoreHandle::Versioned(store) => TableStore::Versioned(store.clone()),
            _ => TableStore::KeyValue(self.key_value_store(name)),
        }
    }

    pub(crate) fn window_store(&self, name: &str) -> Rc<RefCell<ByteWindowStore>> {
        match &self.parts.stores[name] {
            StoreHandle::Window(store) => store.clone(),
            _ => unreachable!("the DSL declared '{name}' as a window store"),
        }
    }

    pub(crate) fn session_store(&self, name: &str) -> Rc<RefCell<ByteSessionStore>> {
        match &self.parts.stores[name] {
            StoreHandle::Session(store) => store.clone(),
            _ => unreachable!("the DSL declared '{name}' as a session store"),
        }
    }

    /// A global store, for reading.
    pub(crate) fn global_store(&self, name: &str) -> Rc<RefCell<ByteStore>> {
        self.parts.globals.reading(name).expect("no task is built before all global stores are whole")
    }

    /// Whether a store is written with each record. This is necessary if several nodes use the store, because each must
    /// see the other's writes at once, if a rejected record must leave no effect, or if the store keeps each version.
    pub(crate) fn is_shared(&self, name: &str) -> bool {
        let is_versioned = matches!(self.parts.stores.get(name), Some(StoreHandle::Versioned(_)));
        // Rows that expire are looked for in the store.
        if self.leaves_out || is_versioned || self.parts.graph.times_to_live.contains_key(name) {
            return true;
        }
        // A cache merges what the operator emits, and does not use the rows.
        let uses = |node: &&Node| node.kind != NodeKind::Operator(TABLE_CACHE);
        self.parts.graph.users(name).filter(uses).count() > 1
    }

    /// Whether processors may write to a store.
    pub(crate) fn is_open_to_processors(&self, name: &str) -> bool {
        self.parts.graph.users(name).any(|node| node.kind == NodeKind::Operator(PROCESS))
    }

    /// The stores of a node that only processors use. No operator's clock expires their rows.
    pub(crate) fn unclocked_stores(&self, id: NodeId) -> Vec<StoreHandle> {
        let graph = self.parts.graph;
        let unclocked = |name: &&StoreName| graph.users(name).all(|node| node.kind == NodeKind::Operator(PROCESS));
        graph.node(id).stores.iter().filter(unclocked).map(|name| self.parts.stores[name].clone()).collect()
    }

    /// Lets the rows of a table expire, if its store has a time to live. The table's later steps get tombstones.
    pub(crate) fn expires<K: Data, V: Data>(
        &mut self,
        table: NodeId,
        store: &StoreName,
        key: &Arc<dyn Codec<K>>,
        value: &Arc<dyn Codec<V>>,
    ) -> Result<(), TaskError> {
        if let Some(live) = self.parts.graph.times_to_live.get(store).copied() {
            let (rows, next) = (self.key_value_store(store), self.next(table, MAIN_PORT)?);
            let old = self.sends_old(table).then(|| value.clone());
            let live = TimeToLive::of_table(rows, live, table, key.clone(), old, next);
            self.times_to_live.insert(store.clone(), live);
        }
        Ok(())
    }

    /// The times to live of all stores of the task.
    pub(crate) fn take_times_to_live(&mut self) -> Vec<TimeToLive> {
        let mut all = std::mem::take(&mut self.times_to_live);
        for (name, live) in &self.parts.graph.times_to_live {
            if let Some(StoreHandle::KeyValue(store)) = self.parts.stores.get(name) {
                // A store that only processors use.
                all.entry(name.clone()).or_insert_with(|| TimeToLive::new(store.clone(), *live));
            }
        }
        all.into_values().collect()
    }

    /// Whether the changes of a table carry the value before the change.
    pub(crate) fn sends_old(&self, table: NodeId) -> bool {
        self.parts.graph.old_values.contains(&table)
    }

    /// Whether a step leaves out changes from nothing to nothing.
    pub(crate) fn skips_nothing(&self, step: NodeId) -> bool {
        self.parts.graph.skips_nothing.get(&step) == Some(&true)
    }

    /// Stores by their names, and all global stores.
    fn stores_called(&self, names: &[StoreName]) -> BTreeMap<StoreName, (StoreHandle, StoreTypes)> {
        let own = names.iter().map(|name| (name.clone(), self.parts.stores[name].clone()));
        let all = self.parts.globals.all().into_iter().chain(own);
        let types = |name: &StoreName| self.parts.graph.store_types[name].clone();
        all.map(|(name, handle)| (name.clone(), (handle, types(&name)))).collect()
    }

    /// The surroundings of a node's processor, without its declared outputs.
    pub(crate) fn environment(&self, id: NodeId) -> Environment {
        self.environment_with(id, &self.parts.graph.node(id).stores)
    }

    /// The surroundings of user code of a node that works with these stores.
    pub(crate) fn environment_with(&self, id: NodeId, stores: &[StoreName]) -> Environment {
        Environment {
            node: id,
            task: self.task,
            application: self.parts.application.clone(),
            stores: self.stores_called(stores),
            partitions: self.partitions(),
            outputs: BTreeMap::new(),
        }
    }

    /// The stores that a node erases from. Each comes with the keys of its rows and the engine's own steps that use it.
    pub(crate) fn erased_stores(&self, id: NodeId) -> Vec<(StoreHandle, RowKeys, Vec<NodeId>)> {
        let Parts { graph, stores, .. } = &self.parts;
        let of =
            |name: &StoreName| (stores[name].clone(), graph.row_keys[name].clone(), graph.known_users(name).collect());
        graph.node(id).stores.iter().map(of).collect()
    }

    /// Whether a node may erase a key in several turns.
    pub(crate) fn erases_by_pieces(&self, id: NodeId) -> bool {
        self.parts.graph.erases_by_pieces(id)
    }

    /// A topic's name on the log, and its number of partitions.
    pub(crate) fn topic(&self, topic: &TopicRef) -> (Topic, i32) {
        (self.parts.topic)(topic)
    }

    /// The topics that a sink may choose from: those that it declares, or all if it declares none.
    pub(crate) fn topics_to_choose(&self, declared: &[Topic]) -> Arc<BTreeMap<Topic, i32>> {
        if declared.is_empty() {
            return self.parts.undeclared.clone();
        }
        Arc::new(declared.iter().map(|topic| self.topic(&TopicRef::External(topic.clone()))).collect())
    }

    /// What the topic of a sink takes.
    pub(crate) fn limits<K, V>(&self, topic: &SinkTopic<K, V>) -> SinkLimits {
        match topic {
            SinkTopic::One(topic, _) => SinkLimits::One(self.parts.limits.get(topic).copied().unwrap_or_default()),
            SinkTopic::ByRecord(_) => SinkLimits::ByRecord(self.parts.limits.clone()),
        }
    }

    /// The task's input partitions, in the order of its queues.
    pub(crate) fn partitions(&self) -> Vec<TopicPartition> {
        self.parts.partitions.clone()
    }
}
