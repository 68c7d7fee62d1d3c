//! Decides about errors, as the handlers of the configuration say.

use super::{Failure, TaskContext};
use crate::{
    handlers::{ErrorHandlerContext, ErrorHandlerResponse, ErrorOrigin, ErrorRecord, RecordHandler},
    names::{NodeId, NodeName, TaskId},
};

/// The handlers of a task, and the names that they are told.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) task: TaskId,
    /// The names of the nodes, by id.
    pub(crate) nodes: Vec<NodeName>,
    pub(crate) deserialization: RecordHandler,
    pub(crate) processing: RecordHandler,
    pub(crate) production: RecordHandler,
}

impl Default for Rules {
    /// No error passes.
    fn default() -> Self {
        let (deserialization, processing, production) = Default::default();
        let task = TaskId { subtopology: 0, partition: 0 };
        Self { task, nodes: Vec::new(), deserialization, processing, production }
    }
}

/// What becomes of a record whose error passes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    LeftOut,
    /// It goes to this topic.
    DeadLetter(String),
}

impl Rules {
    /// Whether errors of operators may pass.
    pub(crate) fn leaves_out(&self) -> bool {
        [&self.processing, &self.production].into_iter().any(|handler| *handler != RecordHandler::Fail)
    }

    /// Whether the raw record is needed if an operator fails.
    pub(crate) fn needs_record(&self) -> bool {
        let needs =
            |handler: &RecordHandler| matches!(handler, RecordHandler::DeadLetter(_) | RecordHandler::Custom(_));
        needs(&self.processing) || needs(&self.production)
    }

    fn handler(&self, origin: ErrorOrigin) -> &RecordHandler {
        match origin {
            ErrorOrigin::Deserialization => &self.deserialization,
            ErrorOrigin::Production => &self.production,
            ErrorOrigin::Processing | ErrorOrigin::Punctuation => &self.processing,
        }
    }
}

impl TaskContext {
    /// Decides about a failure. An error means that it does not pass.
    pub(crate) fn judge(
        &self,
        failure: Box<Failure>,
        origin: ErrorOrigin,
        node: NodeId,
        record: Option<&ErrorRecord>,
    ) -> Result<Verdict, Box<Failure>> {
        if !failure.is_about_records() {
            return Err(failure);
        }
        let origin = if matches!(*failure, Failure::Refused(_)) { ErrorOrigin::Production } else { origin };
        let handler = match self.rules.handler(origin) {
            RecordHandler::Fail => return Err(failure),
            RecordHandler::Skip => return Ok(Verdict::LeftOut),
            RecordHandler::DeadLetter(topic) => return Ok(Verdict::DeadLetter(topic.clone())),
            RecordHandler::Custom(handler) => handler,
        };
        let Rules { task, nodes, .. } = &self.rules;
        let node = nodes.get(node.index()).map_or("", |name| name);
        let failed = ErrorHandlerContext { origin, task: *task, node, record, error: failure.error() };
        match handler.decide(&failed) {
            ErrorHandlerResponse::Continue => Ok(Verdict::LeftOut),
            ErrorHandlerResponse::DeadLetter(topic)
                if self.rules.handler(origin).dead_letter_topics().contains(&topic) =>
            {
                Ok(Verdict::DeadLetter(topic))
            }
            ErrorHandlerResponse::DeadLetter(topic) => Err(Failure::decided(format!(
                "the {origin} handler chose the dead-letter topic '{topic}', which it has not declared: name the topic \
                 with ErrorHandler::dead_letters_to. The record's error: {failure}"
            ))),
            ErrorHandlerResponse::Fail => Err(Box::new(Failure::Decided { replaces: false, failure })),
            ErrorHandlerResponse::ReplaceThread => Err(Box::new(Failure::Decided { replaces: true, failure })),
        }
    }
}
