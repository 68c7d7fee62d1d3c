//! A published insight with everything that is needed to remove what was withdrawn.

use serde::{Deserialize, Serialize};
use tidemill_schemas::{EvidenceLine, HotTopic, Insight, Statement, StatementKind};

use super::Part;
use crate::apps::{
    Withdrawal,
    live_insight::{
        InsightRequest,
        analysis::{Gone, Source, Sources, author_hash, behind_model, quoted},
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
    #[serde(default)]
    evidence: Vec<EvidenceLine>,
}

impl Published {
    pub(in crate::apps::live_insight) fn new(request: InsightRequest, mut insight: Insight) -> Self {
        let InsightRequest { window, draft, sources } = request;
        let Insight { hot_topics, instruction, evidence, analyst, .. } = draft;
        let model = (insight.analyst != analyst).then(|| {
            insight.evidence = behind_model(&evidence, &window.chats, &insight.hot_topics, &insight.instruction);
            Model { read: window.chats.iter().map(Source::of).collect(), hot_topics, instruction, evidence }
        });
        Self { insight, sources, model }
    }

    /// Removes the words and names of what was withdrawn. A sample or topic that others wrote, too, stays. A top chat
    /// and a line of the evidence go with their author, whose name they show.
    pub(in crate::apps::live_insight) fn withdraw(&mut self, withdrawal: &Withdrawal<Part>) {
        if withdrawal.part == Part::Viewers && self.insight.window_start_ms > withdrawal.until_ms() {
            return;
        }
        let before = self.insight.clone();
        let gone = self.sources.withdraw(|source| withdrawal.covers(source));
        let Insight { top_chats, phrases, hot_topics, instruction, alerts, evidence, remainder, .. } =
            &mut self.insight;
        top_chats.retain(|chat| match withdrawal.part {
            Part::Chat => chat.id.as_ref() != Some(&withdrawal.id),
            Part::Viewers => chat.user_id != withdrawal.id,
        });
        remove_lines(evidence, withdrawal, &gone);
        for phrase in phrases {
            phrase.samples.retain(|text| !gone.texts.contains(text));
            phrase.users.retain(|name| !gone.names.contains(name));
        }
        hot_topics.retain(|topic| !gone.terms.contains(&topic.term));
        if let Some(remainder) = remainder {
            remainder.hot_topics.retain(|topic| !gone.terms.contains(&topic.term));
        }
        if let Some(model) = &mut self.model {
            model.hot_topics.retain(|topic| !gone.terms.contains(&topic.term));
            remove_lines(&mut model.evidence, withdrawal, &gone);
        }
        for term in &gone.terms {
            let named = quoted(term);
            for alert in alerts.iter_mut() {
                alert.message = alert.message.replace(&named, UNSAID);
            }
            let own = self.model.as_mut().map(|model| (&mut model.instruction, &mut model.evidence));
            for (advice, evidence) in [(&mut *instruction, &mut *evidence)].into_iter().chain(own) {
                if advice.contains(&named) {
                    UNADVISED.clone_into(advice);
                    retain(evidence, |statement| statement.kind != StatementKind::Instruction);
                }
            }
        }
        if let Some(model) = self.model.take_if(|model| model.read.iter().any(|source| withdrawal.covers(*source))) {
            (self.insight.hot_topics, self.insight.instruction) = (model.hot_topics, model.instruction);
            self.insight.evidence = model.evidence;
        }
        if withdrawal.part == Part::Viewers {
            self.forget(&withdrawal.id);
        }
        self.insight.withdrawn += u64::from(self.insight != before);
    }

    /// Removes a viewer from all lists of people.
    fn forget(&mut self, user_id: &str) {
        let Insight { active_users, outliers, support, remainder, .. } = &mut self.insight;
        if let Some(remainder) = remainder {
            remainder.active_users.retain(|user| user.user_id != user_id);
            remainder.chatters.hashes.retain(|hash| *hash != author_hash(user_id));
        }
        active_users.retain(|user| user.user_id != user_id);
        outliers.retain(|user| user.user_id != user_id);
        for sum in support.iter_mut().flat_map(|support| &mut support.sums) {
            sum.supporters.retain(|one| one.user_id != user_id);
        }
    }
}

/// Removes withdrawn messages from the evidence, and the topics that are withdrawn with them.
fn remove_lines(evidence: &mut Vec<EvidenceLine>, withdrawal: &Withdrawal<Part>, gone: &Gone) {
    evidence.retain(|line| match withdrawal.part {
        Part::Chat => line.id.as_ref() != Some(&withdrawal.id),
        Part::Viewers => line.user_id != withdrawal.id,
    });
    retain(evidence, |statement| statement.kind != StatementKind::HotTopic || !gone.terms.contains(&statement.name));
}

/// Keeps some statements, and the lines that are behind one of them.
fn retain(evidence: &mut Vec<EvidenceLine>, keeps: impl Fn(&Statement) -> bool) {
    for line in &mut *evidence {
        line.behind.retain(&keeps);
    }
    evidence.retain(|line| !line.behind.is_empty());
}
