//! The messages behind what a frame says.

use std::collections::BTreeMap;

use tidemill_schemas::{EvidenceLine, Insight, Statement, StatementKind};

use crate::apps::evenly;

/// A statement has at most this many messages.
const EACH: usize = 5;
/// A frame has at most this many messages.
const MOST: usize = 60;

/// The evidence of some windows, each line with the start of its window, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Lines(Vec<(i64, EvidenceLine)>);

impl Lines {
    pub(super) fn of(insight: &Insight) -> Self {
        Self(insight.evidence.iter().map(|line| (insight.window_start_ms, line.clone())).collect())
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
        self.0.sort_by_key(|(window, _)| *window);
    }

    /// The lines behind those statements that the frame shows. The instruction is that of the window `newest`.
    pub(super) fn behind(&self, shown: &Insight, newest: i64) -> Vec<EvidenceLine> {
        let mut statements: Vec<(Statement, Vec<usize>)> = Vec::new();
        let mut places: BTreeMap<(u8, String, Option<i64>), usize> = BTreeMap::new();
        for (place, (window, line)) in self.0.iter().enumerate() {
            for statement in line.behind.iter().filter(|statement| is_shown(statement, shown, *window == newest)) {
                let key = (statement.kind as u8, statement.name.clone(), statement.at_ms);
                let at = *places.entry(key).or_insert_with(|| {
                    statements.push((statement.clone(), Vec::new()));
                    statements.len() - 1
                });
                statements[at].1.push(place);
            }
        }
        // The instruction, topics and alerts come before the many phrases.
        statements.sort_by_key(|(statement, _)| statement.kind == StatementKind::Phrase);
        let mut lines: BTreeMap<usize, Vec<Statement>> = BTreeMap::new();
        for (statement, places) in statements {
            for place in evenly(&places, EACH) {
                if lines.len() < MOST || lines.contains_key(&place) {
                    lines.entry(place).or_default().push(statement.clone());
                }
            }
        }
        lines.into_iter().map(|(place, behind)| EvidenceLine { behind, ..self.0[place].1.clone() }).collect()
    }
}

fn is_shown(statement: &Statement, shown: &Insight, is_newest: bool) -> bool {
    let at = statement.at_ms.unwrap_or_default();
    match statement.kind {
        StatementKind::Instruction => is_newest,
        StatementKind::HotTopic => shown.hot_topics.iter().any(|topic| topic.term == statement.name),
        StatementKind::Alert => shown.alerts.iter().any(|alert| alert.at_ms == at),
        StatementKind::Phrase => shown.phrases.iter().any(|phrase| phrase.start_ms == at),
    }
}
