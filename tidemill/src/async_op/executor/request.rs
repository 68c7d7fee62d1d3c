//! Reads requests from their records.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tidemill_state::CodecError;

use super::{CallRequest, Caller};
use crate::{
    async_op::{
        AsyncCall, Usage,
        calls::{Ask, Call, CallId, Ended, Known, NoRequest},
        request::RequestId,
    },
    error::panic_text,
    record::Data,
};

/// Answers questions about requests with the codecs and the caller of a step.
pub(super) struct Asking<'a, K, V, R> {
    pub(super) call: &'a AsyncCall<K, V, R>,
    pub(super) caller: &'a dyn Caller<K, V, R>,
    /// Requests between the first question and their first attempt, so that they are decoded once.
    pub(super) decoded: &'a mut HashMap<CallId, CallRequest<K, V>>,
}

impl<K: Data, V: Data, R: Send + 'static> Ask for Asking<'_, K, V, R> {
    fn known(&mut self, id: CallId, call: &Call) -> Result<Known, NoRequest> {
        let request = read(self.call, call, &"".into())?;
        let answer = guarded("the caller", || self.caller.known(&request)).map_err(NoRequest::Ever)?;
        if let Some(answer) = answer {
            let encoded = guarded("the codec", || self.call.response.encode(&answer)).map_err(NoRequest::Ever)?;
            let answer = encoded.map_err(|error| NoRequest::Ever(error.to_string()))?;
            return Ok(Known { end: Some(Ended::Answer(answer)), content: None });
        }
        let content = guarded("the caller", || self.caller.content(&request));
        self.decoded.insert(id, request);
        Ok(Known { end: None, content: content.map_err(NoRequest::Ever)? })
    }

    fn most(&mut self, id: CallId, call: &Call, route: &Arc<str>) -> Usage {
        let request = match self.decoded.get_mut(&id) {
            Some(request) => {
                request.route = route.clone();
                request
            }
            None => match read(self.call, call, route) {
                Ok(request) => self.decoded.entry(id).or_insert(request),
                Err(_) => return Usage::default(),
            },
        };
        guarded("the caller", || self.caller.most(request)).unwrap_or_default()
    }
}

/// The request of a call, for its next attempt.
pub(super) fn read<K: Data, V: Data, R>(
    step: &AsyncCall<K, V, R>,
    call: &Call,
    route: &Arc<str>,
) -> Result<CallRequest<K, V>, NoRequest> {
    let record = &call.arrival.record;
    let id = record.key.clone().and_then(RequestId::from_bytes);
    let id = id.ok_or_else(|| NoRequest::Ever("the request has no id".to_owned()))?;
    let decoded = guarded("the codec", || {
        let key = step.key.decode(id.key()).map_err(|error| no_request("the request's key", error))?;
        let value = step.request.decode_opt(record.value.clone()).map_err(|error| no_request("the request", error))?;
        Ok((key, value))
    });
    let (key, value) = decoded.unwrap_or_else(|panicked| Err(NoRequest::Ever(panicked)))?;
    let (timestamp, attempt, id) = (record.timestamp, call.attempt(), id.bytes());
    Ok(CallRequest { key, value, timestamp, attempt, id, route: route.clone(), steps: call.steps().to_vec() })
}

fn no_request(what: &str, error: CodecError) -> NoRequest {
    match error {
        CodecError::NotYet { reason } => NoRequest::Yet(format!("{what}: {reason}")),
        lasting => NoRequest::Ever(format!("{what}: {lasting}")),
    }
}

/// Runs user code. Its panic must not end the thread that makes all calls.
pub(super) fn guarded<T>(whose: &str, run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| format!("{whose} panicked: {}", panic_text(&*panic)))
}
