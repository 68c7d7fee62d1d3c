//! A published insight with everything that is needed to remove what was withdrawn.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{HotTopic, Insight};

use super::Part;
use crate::apps::{
    Withdrawal,
    live_insight::{
        InsightRequest,
        analysis::{Source, Sources, quoted},
    },
};

/// The words for a topic that is no longer shown, in a sentence that named it.
const UNSAID: &str = "a withdrawn topic";
/// The instruction of a window whose instruction was about a withdrawn topic.
const UNADVISED: &str = "Carry on: what this minute's advice was about is withdrawn.";

/// A published insight, and who wrote what it shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::apps::live_insight) struct Published {
    pub(in crate::apps::live_insight) insight: Insight,
    sources: Sources,
    /// There if a model wrote topics and instruction.
    model: Option<Model>,
}

/// What a model read, and the draft's words. A model may quote anything that it read. So its words are replaced by the
/// draft's if any of it is withdrawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Model {
    read: Vec<Source>,
    hot_topics: Vec<HotTopic>,
    instruction: String,
}

impl Published {
    pub(in crate::apps::live_insight) fn new(request: InsightRequest, insight: Insight) -> Self {
        let InsightRequest { window, draft, sources } = request;
        let model = (insight.analyst != draft.analyst).then(|| Model {
            read: window.chats.iter().map(Source::of).collect(),
            hot_topics: draft.hot_topics,
            instruction: draft.instruction,
        });
        Self { insight, sources, model }
    }

    /// Removes the words and names of what was withdrawn. A sample or topic that others wrote, too, stays. A top chat
    /// goes with its author, whose name it shows.
    pub(in crate::apps::live_insight) fn withdraw(&mut self, withdrawal: &Withdrawal<Part>) {
        if withdrawal.part == Part::Viewers && self.insight.window_start_ms > withdrawal.until_ms() {
            return;
        }
        let before = self.insight.clone();
        let gone = self.sources.withdraw(|source| withdrawal.covers(source));
        let Insight { top_chats, phrases, hot_topics, instruction, alerts, .. } = &mut self.insight;
        top_chats.retain(|chat| match withdrawal.part {
            Part::Chat => chat.id.as_ref() != Some(&withdrawal.id),
            Part::Viewers => chat.user_id != withdrawal.id,
        });
        for phrase in phrases {
            phrase.samples.retain(|text| !gone.texts.contains(text));
            phrase.users.retain(|name| !gone.names.contains(name));
        }
        hot_topics.retain(|topic| !gone.terms.contains(&topic.term));
        if let Some(model) = &mut self.model {
            model.hot_topics.retain(|topic| !gone.terms.contains(&topic.term));
        }
        for term in &gone.terms {
            let named = quoted(term);
            for alert in alerts.iter_mut() {
                alert.message = alert.message.replace(&named, UNSAID);
            }
            for advice in [&mut *instruction].into_iter().chain(self.model.as_mut().map(|model| &mut model.instruction))
            {
                if advice.contains(&named) {
                    UNADVISED.clone_into(advice);
                }
            }
        }
        if let Some(model) = self.model.take_if(|model| model.read.iter().any(|source| withdrawal.covers(*source))) {
            (self.insight.hot_topics, self.insight.instruction) = (model.hot_topics, model.instruction);
        }
        if withdrawal.part == Part::Viewers {
            self.forget(&withdrawal.id);
        }
        self.insight.withdrawn += u64::from(self.insight != before);
    }

    /// Removes a viewer from all lists of people.
    fn forget(&mut self, user_id: &str) {
        let Insight { active_users, outliers, support, .. } = &mut self.insight;
        active_users.retain(|user| user.user_id != user_id);
        outliers.retain(|user| user.user_id != user_id);
        for sum in support.iter_mut().flat_map(|support| &mut support.sums) {
            sum.supporters.retain(|one| one.user_id != user_id);
        }
    }
}
