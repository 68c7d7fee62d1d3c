//! Chat messages behind what an insight says: a few examples for each statement.

use std::collections::{BTreeMap, HashSet};

use tidemill_schemas::{
    Alert, AlertKind, ChatMessage, EvidenceLine, HotTopic, PhraseReaction, Spike, Statement, StatementKind,
};

use super::echo::echo;
use super::evidence::Evidence;
use super::instruction::About;
use super::phrases::followers;
use super::reading::{ReadChat, between};
use super::shifts::RECENT_MS;
use super::shown::name;
use super::terms::terms;
use super::words::tokens;
use crate::apps::evenly;

/// A statement has at most this many messages.
const EACH: usize = 5;
/// An insight has at most this many messages. Those of phrases come last.
const MOST: usize = 60;
/// So many candidates are looked at for a statement, so that a busy minute costs no more than a calm one.
const LOOKED_AT: usize = 100;
/// A message is shown with at most this many characters.
const TEXT: usize = 280;

/// The messages behind the statements of an offline analysis, in order of time.
pub(super) fn behind(
    on: &Evidence<'_>,
    about: &About<'_>,
    alerts: &[Alert],
    phrases: &[PhraseReaction],
) -> Vec<EvidenceLine> {
    let mut found = Found { on, lines: BTreeMap::new() };
    found.note(
        found.of_advice(about),
        &Statement { kind: StatementKind::Instruction, name: String::new(), at_ms: None },
    );
    for topic in on.topics {
        found.note(found.of_topic(&topic.term), &of_topic(topic));
    }
    for alert in alerts {
        found.note(found.of_alert(alert), &of_alert(alert));
    }
    for phrase in phrases {
        found.note(found.of_phrase(phrase), &of_phrase(phrase));
    }
    let chats = &on.reading.chats;
    found.lines.into_iter().map(|(at, behind)| line(chats[at].message, behind)).collect()
}

fn of_topic(topic: &HotTopic) -> Statement {
    Statement { kind: StatementKind::HotTopic, name: topic.term.clone(), at_ms: None }
}

fn of_alert(alert: &Alert) -> Statement {
    let kind = serde_json::to_value(alert.kind).ok().and_then(|kind| Some(kind.as_str()?.to_owned()));
    Statement { kind: StatementKind::Alert, name: kind.unwrap_or_default(), at_ms: Some(alert.at_ms) }
}

fn of_phrase(phrase: &PhraseReaction) -> Statement {
    Statement { kind: StatementKind::Phrase, name: String::new(), at_ms: Some(phrase.start_ms) }
}

fn line(message: &ChatMessage, behind: Vec<Statement>) -> EvidenceLine {
    let mut text: String = message.text.chars().take(TEXT).collect();
    if message.text.chars().nth(TEXT).is_some() {
        text.push('…');
    }
    EvidenceLine {
        id: message.id.clone(),
        user_id: message.user_id.clone(),
        user_name: name(message),
        text,
        timestamp: message.timestamp,
        behind,
    }
}

/// The messages that were found so far, by their place in the reading.
struct Found<'a> {
    on: &'a Evidence<'a>,
    lines: BTreeMap<usize, Vec<Statement>>,
}

impl Found<'_> {
    fn note(&mut self, places: Vec<usize>, statement: &Statement) {
        for place in places {
            if self.lines.len() < MOST || self.lines.contains_key(&place) {
                self.lines.entry(place).or_default().push(statement.clone());
            }
        }
    }

    fn of_advice(&self, about: &About<'_>) -> Vec<usize> {
        match about {
            About::Nothing => Vec::new(),
            About::Topic(term) => self.of_topic(term),
            About::Alert(alert) => self.of_alert(alert),
            About::Spike(spike) => self.of_spike(spike),
            About::Questions => self.spread(self.all().filter(|(_, chat)| chat.question)),
            About::Feeling(feeling) => {
                self.strongest(self.crowd().filter(|(_, chat)| chat.mood.feeling == Some(*feeling)))
            }
            About::Mood(sign) => self.strongest(self.crowd().filter(|(_, chat)| chat.mood.valence * sign > 0.0)),
        }
    }

    fn of_topic(&self, term: &str) -> Vec<usize> {
        self.spread(self.all().filter(|(_, chat)| chat.terms.iter().any(|known| known == term)))
    }

    fn of_spike(&self, spike: &Spike) -> Vec<usize> {
        let during = spike.start_ms..spike.end_ms;
        self.spread(self.all().filter(|(_, chat)| during.contains(&chat.message.timestamp)))
    }

    fn of_alert(&self, alert: &Alert) -> Vec<usize> {
        match alert.kind {
            AlertKind::MoodDrop => self.of_shift(alert.at_ms, -1.0),
            AlertKind::MoodRise => self.of_shift(alert.at_ms, 1.0),
            AlertKind::EngagementSpike => {
                let spike = self.on.spikes.iter().find(|spike| spike.start_ms == alert.at_ms);
                spike.map_or_else(Vec::new, |spike| self.of_spike(spike))
            }
            AlertKind::SilentMicrophone => self.spread(self.all()),
            AlertKind::Trolls => {
                let theirs = self.all().filter(|(_, chat)| self.on.crowd.outliers.contains(&chat.user));
                self.strongest(theirs.filter(|(_, chat)| chat.mood.valence < 0.0))
            }
            // They are about what nobody wrote.
            AlertKind::EngagementDrop | AlertKind::SilentChat => Vec::new(),
        }
    }

    /// The messages of the new mood, soon after it began.
    fn of_shift(&self, at_ms: i64, sign: f64) -> Vec<usize> {
        let felt = |from: i64, to: i64| {
            let during = move |(_, chat): &(usize, &ReadChat<'_>)| (from..to).contains(&chat.message.timestamp);
            self.strongest(self.crowd().filter(during).filter(|(_, chat)| chat.mood.valence * sign > 0.0))
        };
        let soon = felt(at_ms - RECENT_MS, at_ms + 2 * RECENT_MS);
        if soon.is_empty() { felt(i64::MIN, i64::MAX) } else { soon }
    }

    /// The first message with the text of each sample.
    fn of_phrase(&self, phrase: &PhraseReaction) -> Vec<usize> {
        let chats = &self.on.reading.chats;
        let (from, to) = followers(phrase.start_ms, phrase.end_ms);
        let first = chats.partition_point(|chat| chat.message.timestamp < from);
        let answers = between(chats, from, to);
        let is_crowd = |chat: &ReadChat<'_>| !self.on.crowd.outliers.contains(&chat.user);
        let wrote = |text: &String| answers.iter().position(|chat| chat.message.text == *text && is_crowd(chat));
        phrase.samples.iter().filter_map(wrote).map(|at| first + at).collect()
    }

    /// All messages with words for people, with their places.
    fn all(&self) -> impl Iterator<Item = (usize, &ReadChat<'_>)> {
        self.on.reading.chats.iter().enumerate().filter(|(_, chat)| !chat.command && chat.message.has_text())
    }

    /// The messages that decide the crowd's mood.
    fn crowd(&self) -> impl Iterator<Item = (usize, &ReadChat<'_>)> {
        self.all().filter(|(_, chat)| chat.mood.expressive && !self.on.crowd.outliers.contains(&chat.user))
    }

    /// A few of the messages, spread over the window.
    fn spread<'b>(&self, chats: impl Iterator<Item = (usize, &'b ReadChat<'b>)>) -> Vec<usize> {
        let places: Vec<usize> = chats.map(|(place, _)| place).collect();
        evenly(&self.different(&evenly(&places, LOOKED_AT)), EACH)
    }

    /// The messages with the strongest mood.
    fn strongest<'b>(&self, chats: impl Iterator<Item = (usize, &'b ReadChat<'b>)>) -> Vec<usize> {
        let mut places: Vec<(usize, f64)> = chats.map(|(place, chat)| (place, chat.mood.valence.abs())).collect();
        places.sort_by(|a, b| b.1.total_cmp(&a.1));
        let places: Vec<usize> = places.into_iter().map(|(place, _)| place).take(LOOKED_AT).collect();
        let mut different = self.different(&places);
        different.truncate(EACH);
        different
    }

    /// One message of each author, and each text once.
    fn different(&self, places: &[usize]) -> Vec<usize> {
        let (mut authors, mut texts) = (HashSet::new(), HashSet::new());
        let is_new = |place: &&usize| {
            let chat = &self.on.reading.chats[**place];
            !authors.contains(&chat.user) && texts.insert(echo(&chat.message.text)) && authors.insert(chat.user)
        };
        places.iter().filter(is_new).copied().collect()
    }
}

/// Replaces the evidence of the draft's instruction and topics by that of a model's: the messages, among those that the
/// model has read, that speak about them.
pub(in crate::apps::live_insight) fn behind_model(
    draft: &[EvidenceLine],
    read: &[ChatMessage],
    topics: &[HotTopic],
    instruction: &str,
) -> Vec<EvidenceLine> {
    let keeps = |statement: &Statement| matches!(statement.kind, StatementKind::Alert | StatementKind::Phrase);
    let kept = draft.iter().filter_map(|line| {
        let behind: Vec<_> = line.behind.iter().filter(|statement| keeps(statement)).cloned().collect();
        (!behind.is_empty()).then(|| EvidenceLine { behind, ..line.clone() })
    });
    let words = |text: &str| terms(&tokens(text)).into_iter().collect::<HashSet<_>>();
    let read: Vec<_> = read.iter().filter(|chat| chat.has_text()).map(|chat| (chat, words(&chat.text))).collect();
    let mut new: Vec<(&ChatMessage, Statement)> = Vec::new();
    for topic in topics {
        let (term, parts) = (topic.term.to_lowercase(), words(&topic.term));
        let about = read.iter().filter(|(chat, words)| {
            words.contains(&term)
                || !parts.is_empty() && parts.is_subset(words)
                || chat.text.to_lowercase().contains(&term)
        });
        let about: Vec<_> = about.map(|(chat, _)| *chat).collect();
        new.extend(evenly(&about, EACH).into_iter().map(|chat| (chat, of_topic(topic))));
    }
    let asked = words(instruction);
    let shared = |words: &HashSet<String>| words.intersection(&asked).count();
    let mut about: Vec<_> = read.iter().filter(|(_, words)| shared(words) > 0).collect();
    about.sort_by_key(|(_, words)| std::cmp::Reverse(shared(words)));
    let instruction = Statement { kind: StatementKind::Instruction, name: String::new(), at_ms: None };
    new.extend(about.into_iter().take(EACH).map(|(chat, _)| (*chat, instruction.clone())));

    let mut lines: Vec<EvidenceLine> = Vec::new();
    for shown in new.into_iter().map(|(chat, statement)| line(chat, vec![statement])).chain(kept) {
        if let Some(known) = lines.iter_mut().find(|known| is_same(known, &shown)) {
            known.behind.extend(shown.behind);
        } else if lines.len() < MOST {
            lines.push(shown);
        }
    }
    lines.sort_by_key(|line| line.timestamp);
    lines
}

/// Whether two lines are the same message.
fn is_same(a: &EvidenceLine, b: &EvidenceLine) -> bool {
    (&a.id, &a.user_id, &a.text, a.timestamp) == (&b.id, &b.user_id, &b.text, b.timestamp)
}
