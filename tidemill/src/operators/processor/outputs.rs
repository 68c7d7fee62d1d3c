//! Outputs that a processor declares beside its main one.

use std::{fmt, marker::PhantomData};

use super::ProcessingContext;
use crate::{
    graph::{NodeId, Port},
    operators::{Failure, Next},
    record::{Data, Record},
};

/// An output of a processor, with the types of its records. A step declares it; its processor forwards to it
/// (`ProcessorContext.forward` with a child's name in Kafka Streams). A copy is the same output. See the example of
/// [`KStream::processing`](crate::KStream::processing).
pub struct Output<K, V> {
    step: NodeId,
    port: Port,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> Output<K, V> {
    pub(crate) fn new(step: NodeId, port: Port) -> Self {
        Self { step, port, types: PhantomData }
    }
}

impl<K, V> Clone for Output<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Output<K, V> {}

impl<K, V> fmt::Debug for Output<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Output").field(&self.step).field(&self.port).finish()
    }
}

impl ProcessingContext<'_> {
    pub(super) fn pass_to<K: Data, V: Data>(&mut self, output: Output<K, V>, record: Record<K, V>) {
        let declared = self.environment.outputs.get(&output.port).filter(|_| output.step == self.environment.node);
        match declared.and_then(|next| next.downcast_ref::<Next<K, V>>()) {
            Some(next) => self.pass(next, record),
            None if self.failure.is_none() => {
                let text =
                    "the processor forwards to an output that another step declared: give it an output of its own";
                *self.failure = Some(Box::new(Failure::User(text.into())));
            }
            None => {}
        }
    }
}
