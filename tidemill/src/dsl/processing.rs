//! Processors with several outputs, while they are declared.

use std::{any::Any, cell::RefCell, rc::Rc, sync::Arc};

use super::{FixedKeyProcessorSupplier, KStream, ProcessorSupplier, builder::SharedGraph};
use crate::{
    error::TaskError,
    graph::{Edge, MAIN_PORT, NodeId, NodeKind, PROCESS, Port, StoreName},
    operators::{Assembly, BuildNode, FixedKey, Merge, ProcessorNode, processor::Output, processor::Processor},
    record::Data,
};

/// The first port of the outputs that a processor declares.
const FIRST_OUTPUT: Port = 8;

/// Builds the children of an output.
type BuildOutput = Arc<dyn Fn(&mut Assembly<'_>, NodeId) -> Result<Box<dyn Any>, TaskError> + Send + Sync>;

/// The step of a processor while it is declared.
pub(super) struct Step {
    graph: SharedGraph,
    parents: Vec<NodeId>,
    node: NodeId,
    outputs: Vec<BuildOutput>,
}

impl Step {
    /// Adds the step to the graph. It gets its parents with its processor.
    pub(super) fn new(graph: &SharedGraph, name: &str, parents: Vec<NodeId>) -> Self {
        let unfinished: BuildNode = Arc::new(|_, _| unreachable!("the graph was validated"));
        let kind = NodeKind::Operator(PROCESS);
        let node = graph.borrow_mut().add(Some(name), kind, Vec::new(), Vec::new(), unfinished);
        Self { graph: graph.clone(), parents, node, outputs: Vec::new() }
    }

    pub(super) fn connect(&self, stores: &[&str]) {
        let names = stores.iter().map(|store| StoreName::from(*store));
        self.graph.borrow_mut().graph.connect(self.node, names);
    }

    /// Declares an output. Returns the node that its records go to.
    pub(super) fn output<K: Data, V: Data>(&mut self, name: &str) -> (Output<K, V>, NodeId) {
        let count = self.outputs.len();
        let port = u8::try_from(count).ok().and_then(|count| FIRST_OUTPUT.checked_add(count)).unwrap_or_else(|| {
            let mut draft = self.graph.borrow_mut();
            let step = draft.graph.node(self.node).name.clone();
            draft.graph.problems.push(format!("'{step}' has more outputs than {}", Port::MAX - FIRST_OUTPUT + 1));
            Port::MAX
        });
        self.outputs.push(Arc::new(move |assembly, id| Ok(Box::new(assembly.next::<K, V>(id, port)?))));
        let build: BuildNode = Arc::new(move |assembly, id| {
            let operator = Merge { next: assembly.next(id, MAIN_PORT)? };
            assembly.input::<K, V>(id, Rc::new(operator));
            Ok(())
        });
        let mut draft = self.graph.borrow_mut();
        let name = format!("{}-{name}", draft.graph.node(self.node).name);
        let parents = vec![Edge { from: self.node, port }];
        let node = draft.add(Some(&name), NodeKind::Operator("output"), parents, Vec::new(), build);
        (Output::new(self.node, port), node)
    }

    /// Gives the step its processor, with the stores that the supplier brings.
    pub(super) fn run<K: Data, V: Data, K2: Data, V2: Data, S>(self, supplier: S) -> NodeId
    where
        S: ProcessorSupplier<K, V, K2, V2>,
    {
        let brought = supplier.stores();
        let outputs = self.outputs;
        let build = build_with(move || supplier.get(), outputs);
        let mut draft = self.graph.borrow_mut();
        draft.finish_node(self.node, self.parents.iter().map(|from| Edge { from: *from, port: MAIN_PORT }), build);
        for store in brought {
            draft.graph.connect(self.node, [store.spec.name.clone()]);
            draft.graph.share_store(store.spec, store.rows, store.lifetime);
        }
        self.node
    }

    pub(super) fn run_values<K: Data, V: Data, V2: Data, S>(self, supplier: S) -> NodeId
    where
        S: FixedKeyProcessorSupplier<K, V, V2>,
    {
        self.run::<K, V, K, V2, _>(FixedKeys(supplier))
    }
}

/// Makes processors from those that keep keys.
struct FixedKeys<S>(S);

impl<K: Data, V, V2: Data, S> ProcessorSupplier<K, V, K, V2> for FixedKeys<S>
where
    S: FixedKeyProcessorSupplier<K, V, V2>,
    V: 'static,
{
    type Processor = FixedKey<S::Processor>;

    fn get(&self) -> Self::Processor {
        FixedKey(self.0.get())
    }

    fn stores(&self) -> Vec<super::StoreBuilder> {
        self.0.stores()
    }
}

fn build_with<K: Data, V: Data, K2: Data, V2: Data, P>(
    supplier: impl Fn() -> P + Send + Sync + 'static,
    outputs: Vec<BuildOutput>,
) -> BuildNode
where
    P: Processor<K, V, K2, V2> + 'static,
{
    Arc::new(move |assembly, id| {
        let next = assembly.next(id, MAIN_PORT)?;
        let mut environment = assembly.environment(id);
        for (build, port) in outputs.iter().zip(FIRST_OUTPUT..) {
            environment.outputs.insert(port, build(assembly, id)?);
        }
        let unclocked = assembly.unclocked_stores(id);
        let node = Rc::new(RefCell::new(ProcessorNode::new(supplier(), environment, next, unclocked)));
        assembly.input::<K, V>(id, node.clone());
        assembly.lifecycle(id, node);
        Ok(())
    })
}

/// A step with a processor that has more outputs than the main one, while it is declared. [`KStream::processing`]
/// returns it; [`process`](Self::process) ends it.
pub struct Processing<K, V> {
    pub(super) stream: KStream<K, V>,
    pub(super) step: Step,
}

impl<K: Data, V: Data> Processing<K, V> {
    /// Connects the processor to these stores, as [`KStream::process`] does. See the example of
    /// [`KStream::processing`].
    pub fn stores(self, stores: &[&str]) -> Self {
        self.step.connect(stores);
        self
    }

    /// Declares an output. The processor forwards to it with
    /// [`forward_to`](crate::processor::ProcessorContext::forward_to); the stream has what it forwards. The output's step
    /// in the topology is named after both: `check-rejected` for the output `rejected` of the step `check`. A processor
    /// has at most 248 outputs. See the example of [`KStream::processing`].
    pub fn output<K2: Data, V2: Data>(&mut self, name: &str) -> (Output<K2, V2>, KStream<K2, V2>) {
        let (output, node) = self.step.output(name);
        (output, self.stream.then(node, true))
    }

    /// Gives the step its processor, and returns the stream of what the processor forwards without naming an output.
    /// See [`KStream::process`], and the example of [`KStream::processing`].
    pub fn process<K2: Data, V2: Data>(self, supplier: impl ProcessorSupplier<K, V, K2, V2>) -> KStream<K2, V2> {
        let node = self.step.run(supplier);
        self.stream.require_key_for_stores(node);
        self.stream.then(node, true)
    }
}

/// A step with a processor that keeps keys and has more outputs than the main one, while it is declared.
/// [`KStream::processing_values`] returns it; [`process_values`](Self::process_values) ends it.
pub struct ProcessingValues<K, V> {
    pub(super) stream: KStream<K, V>,
    pub(super) step: Step,
}

impl<K: Data, V: Data> ProcessingValues<K, V> {
    /// Connects the processor to these stores, as [`KStream::process_values`] does.
    pub fn stores(self, stores: &[&str]) -> Self {
        self.step.connect(stores);
        self
    }

    /// Declares an output, as [`Processing::output`]. Its records keep their keys. See the example of
    /// [`KStream::processing_values`].
    pub fn output<V2: Data>(&mut self, name: &str) -> (Output<K, V2>, KStream<K, V2>) {
        let (output, node) = self.step.output(name);
        (output, self.stream.then(node, false))
    }

    /// Gives the step its processor, and returns the stream of what the processor forwards without naming an output.
    /// See the example of [`KStream::processing_values`].
    pub fn process_values<V2: Data>(self, supplier: impl FixedKeyProcessorSupplier<K, V, V2>) -> KStream<K, V2> {
        let node = self.step.run_values(supplier);
        self.stream.require_key_for_stores(node);
        self.stream.then(node, false)
    }
}
