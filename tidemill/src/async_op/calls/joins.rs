//! Requests with the same content share a call, or an answer that is kept.

use super::{CallId, Calls, Effect, Ended, Stage};
use crate::{async_op::AnswerSource, clock::Moment};

impl Calls {
    /// Gives a call a kept answer, or lets it wait for a call with the same content. Returns whether it did.
    pub(super) fn shares(&mut self, id: CallId, now: Moment, effects: &mut Vec<Effect>) -> bool {
        if self.answered_by_cache(id, now, effects) {
            return true;
        }
        let Some(content) = self.calls.get(&id).and_then(|call| call.content.clone()) else { return false };
        if !self.policy.join_identical {
            return false;
        }
        match self.leaders.get(&content).copied() {
            Some(leader) if leader != id => {
                let Some(call) = self.calls.get_mut(&id) else { return false };
                call.stage = Stage::Joined(leader);
                if let Some(leader) = self.calls.get_mut(&leader) {
                    leader.followers.insert(id);
                }
                true
            }
            _ => {
                self.leaders.insert(content, id);
                false
            }
        }
    }

    /// Gives a call a kept answer, if there is one. It takes no route and no limit.
    pub(super) fn answered_by_cache(&mut self, id: CallId, now: Moment, effects: &mut Vec<Effect>) -> bool {
        let content = self.calls.get(&id).and_then(|call| call.content.as_ref());
        let kept = content.zip(self.cache.as_ref()).and_then(|(content, cache)| cache.get(content, now.wall_ms));
        let Some(answer) = kept else { return false };
        self.stats.cached += 1;
        self.end_without_a_call(id, Ended::Answer(Some(answer)), AnswerSource::Cached, now, effects);
        true
    }
}
