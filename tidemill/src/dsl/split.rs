//! Splits a stream into branches.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{KStream, builder::add_operator};
use crate::{
    graph::{Edge, MAIN_PORT, NodeKind, Port},
    operators::{Branch, BuildNode, Merge},
    record::Data,
};

type Predicate<K, V> = Arc<dyn Fn(&K, &V) -> bool + Send + Sync>;

/// The branches of a split while they are declared, in the order in which they are tried (`BranchedKStream` in Kafka
/// Streams, KIP-418). [`KStream::split`] returns it.
///
/// ```
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let split = builder.stream::<u64, i64>("orders").split();
/// let [large, medium, small] = &split
///     .branch(|_, cents| *cents >= 10_000)
///     .branch(|_, cents| *cents >= 1_000)
///     .default_branch()[..]
/// else {
///     panic!("three branches");
/// };
/// (large.to("large"), medium.to("medium"), small.to("small"));
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// driver.input::<u64, i64>("orders").pipe_all([(1, 20_000, 0), (2, 1_500, 1), (3, 40, 2)])?;
/// // The largest order would also be in the second branch, but the first branch took it.
/// assert_eq!(driver.output::<u64, i64>("large").read_values()?, [20_000]);
/// assert_eq!(driver.output::<u64, i64>("medium").read_values()?, [1_500]);
/// assert_eq!(driver.output::<u64, i64>("small").read_values()?, [40]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SplitStream<K, V> {
    stream: KStream<K, V>,
    predicates: Vec<Predicate<K, V>>,
}

impl<K: Data, V: Data> SplitStream<K, V> {
    pub(super) fn new(stream: KStream<K, V>) -> Self {
        Self { stream, predicates: Vec::new() }
    }

    /// Adds a branch. It takes the records for which `predicate` is true and that no earlier branch took
    /// (`BranchedKStream.branch` in Kafka Streams). A split has at most 255 branches. See the example of
    /// [`SplitStream`].
    pub fn branch(mut self, predicate: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.predicates.push(Arc::new(predicate));
        self
    }

    /// The branches in order. Records that no branch takes are dropped (`BranchedKStream.noDefaultBranch` in Kafka
    /// Streams).
    ///
    /// ```
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let branches = builder.stream::<u64, i64>("orders").split().branch(|_, cents| *cents >= 1_000).no_default();
    /// assert_eq!(branches.len(), 1);
    /// branches[0].to("large");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, i64>("orders").pipe_all([(1, 40, 0), (2, 1_500, 1)])?;
    /// assert_eq!(driver.output::<u64, i64>("large").read_values()?, [1_500]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn no_default(self) -> Vec<KStream<K, V>> {
        let Self { stream, predicates } = self;
        let count = predicates.len();
        if count > usize::from(Port::MAX) {
            let problem = format!("a split has {count} branches, more than {}: split in several steps", Port::MAX);
            stream.graph.borrow_mut().graph.problems.push(problem);
        }
        let build: BuildNode = Arc::new(move |assembly, id| {
            let branches =
                predicates.iter().zip(0..).map(|(predicate, port)| Ok((predicate.clone(), assembly.next(id, port)?)));
            let branches = branches.collect::<Result<_, crate::error::TaskError>>()?;
            assembly.input::<K, V>(id, Rc::new(RefCell::new(Branch { branches })));
            Ok(())
        });
        let node = add_operator(&stream.graph, None, "split", &[stream.node], Vec::new(), build);
        (0..count as Port)
            .map(|port| {
                let build: BuildNode = Arc::new(move |assembly, id| {
                    let operator = Merge { next: assembly.next(id, MAIN_PORT)? };
                    assembly.input::<K, V>(id, Rc::new(operator));
                    Ok(())
                });
                let parents = vec![Edge { from: node, port }];
                let branch =
                    stream.graph.borrow_mut().add(None, NodeKind::Operator("branch"), parents, Vec::new(), build);
                KStream { rekeyed_by: stream.rekeyed_by.clone(), ..KStream::new(stream.graph.clone(), branch) }
            })
            .collect()
    }

    /// The branches in order, followed by a branch of all other records (`BranchedKStream.defaultBranch` in Kafka
    /// Streams). See the example of [`SplitStream`].
    pub fn default_branch(self) -> Vec<KStream<K, V>> {
        self.branch(|_, _| true).no_default()
    }
}
