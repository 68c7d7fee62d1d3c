//! Finished parts of a conversation, kept on the log. A conversation that is repeated goes on behind the last one.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{
    fingerprint::{hex, sha256},
    request::Turn,
};
use crate::async_op::Reply;

/// Keeps steps. The receiver gets `true` when the step is safe, `false` if the attempt is given up.
pub(super) trait Keep: Sync {
    fn keep(&self, step: Bytes) -> oneshot::Receiver<bool>;
}

impl<R: Send> Keep for Reply<R> {
    fn keep(&self, step: Bytes) -> oneshot::Receiver<bool> {
        let (sender, receiver) = oneshot::channel();
        self.keep_step(step, move |safe| {
            // If nobody waits any more, the attempt has ended.
            let _ = sender.send(safe);
        });
        receiver
    }
}

/// A turn, and the conversation that it continues.
#[derive(Serialize, Deserialize)]
struct Step {
    after: String,
    turn: Turn,
}

/// Identifies a conversation by all that was said. Two attempts may run at the same time, and a new version of the
/// program may find steps of the old one: a step counts only for the conversation that it continues.
pub(super) struct Chain {
    state: String,
}

impl Chain {
    /// Begins a conversation.
    pub(super) fn new(prompt_hash: &str, user: &str) -> Self {
        Self { state: hex(&sha256(&[prompt_hash.as_bytes(), user.as_bytes()])[..12]) }
    }

    /// Identifies what was said until now.
    pub(super) fn state(&self) -> &str {
        &self.state
    }

    /// The kept turn that comes next.
    pub(super) fn next(&mut self, steps: &[Bytes]) -> Option<Turn> {
        let steps = steps.iter().filter_map(|step| Some((step, serde_json::from_slice::<Step>(step).ok()?)));
        let (bytes, step) = steps.into_iter().find(|(_, step)| step.after == self.state)?;
        self.advance(bytes);
        Some(step.turn)
    }

    /// Continues with a turn; returns the step to keep.
    pub(super) fn step(&mut self, turn: &Turn) -> Bytes {
        let step = Step { after: self.state.clone(), turn: turn.clone() };
        let bytes = Bytes::from(serde_json::to_vec(&step).unwrap_or_default());
        self.advance(&bytes);
        bytes
    }

    fn advance(&mut self, step: &[u8]) {
        self.state = hex(&sha256(&[self.state.as_bytes(), step])[..12]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_goes_on_behind_its_own_steps_only() {
        let mut chain = Chain::new("hash", "data");
        let steps = [chain.step(&Turn::user("one")), chain.step(&Turn::user("two"))];
        // Another attempt said something else at the same time, and something else is no step at all.
        let mut other = Chain::new("hash", "data");
        let foreign = [other.step(&Turn::user("uno")), other.step(&Turn::user("due"))];
        let kept = [&b"noise"[..], &steps[0], &foreign[0], &foreign[1], &steps[1]].map(Bytes::copy_from_slice);

        let mut again = Chain::new("hash", "data");
        assert_eq!(again.next(&kept), Some(Turn::user("one")));
        assert_eq!(again.next(&kept), Some(Turn::user("two")));
        assert_eq!(again.next(&kept), None);
        assert_eq!(again.state(), chain.state());
        assert_eq!(Chain::new("new hash", "data").next(&kept), None, "a new version of the prompt begins anew");
    }
}
