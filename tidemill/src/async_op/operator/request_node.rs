//! The request side of an asynchronous step.

use std::sync::Arc;

use tidemill_state::CodecError;

use super::asking::{Asking, NewRequest};
use crate::{
    operators::{Outcome, Receive, TaskContext},
    record::{Data, Record},
};

/// Asks for each record.
pub(crate) struct RequestNode<K, V, R>(pub(crate) Asking<K, V, R>);

impl<K: Data, V: Data, R> Receive<K, V> for RequestNode<K, V, R> {
    fn receive(&mut self, ctx: &mut TaskContext, record: Record<K, V>) -> Outcome {
        let Record { key, value, timestamp, headers } = record;
        let call = &self.0.call;
        let key = call.key.encode(&key)?.unwrap_or_default();
        let pending = call.pending.encode(&value)?.ok_or(CodecError::Null)?;
        let request = if Arc::ptr_eq(&call.pending, &call.request) {
            pending.clone()
        } else {
            call.request.encode(&value)?.ok_or(CodecError::Null)?
        };
        self.0.ask(ctx, NewRequest { key, pending, request, timestamp, headers, is_repeat: false })
    }
}
