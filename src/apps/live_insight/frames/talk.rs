//! Hot topics, top chats and languages of several windows.

use std::collections::{BTreeMap, HashSet};

use tidemill_schemas::{HotTopic, Insight, LanguageShare, TopChat};

use super::{
    people::{hundredths, mean},
    view::TopicRange,
};
use crate::apps::live_insight::analysis::{distinct, echo, term_set};

/// What people wrote about, as far as the windows list it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Talk {
    topics: BTreeMap<String, Topic>,
    chats: BTreeMap<String, Chat>,
    /// Hundredths of a share times messages, by language.
    languages: BTreeMap<String, u64>,
    /// The messages of windows with known languages.
    spoken: u64,
    /// The most topics and top chats that a window shows.
    shown: (usize, usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Topic {
    /// The best place among a window's topics.
    place: usize,
    windows: u64,
    chats: u64,
    users: u64,
    /// The most authors of one window.
    users_least: u64,
    /// Hundredths of lift times authors.
    lift: i64,
    lift_weight: u64,
    /// Hundredths of mood times messages.
    mood: i64,
    mood_weight: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Chat {
    /// The best place among a window's top chats.
    place: usize,
    /// The earliest message.
    first: (i64, String, String, Option<String>),
    user_name: String,
    mood: i64,
    echoes: u64,
}

impl Talk {
    pub(super) fn of(insight: &Insight) -> Self {
        let more = insight.remainder.iter().flat_map(|remainder| &remainder.hot_topics);
        let mut talk = Self { shown: (insight.hot_topics.len(), insight.top_chats.len()), ..Self::default() };
        for (place, topic) in insight.hot_topics.iter().chain(more).enumerate() {
            // A model may name a topic that is also among the next topics.
            talk.topics.entry(topic.term.clone()).or_insert_with(|| Topic::of(topic, place));
        }
        for (place, chat) in insight.top_chats.iter().enumerate() {
            talk.chats.entry(echo(&chat.text)).or_insert_with(|| Chat::of(chat, place));
        }
        if !insight.languages.is_empty() {
            let messages = insight.chats.max(1);
            talk.spoken = messages;
            let share =
                |share: &LanguageShare| (share.language.clone(), hundredths(share.share).max(0) as u64 * messages);
            talk.languages = insight.languages.iter().map(share).collect();
        }
        talk
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (term, theirs) in &other.topics {
            match self.topics.get_mut(term) {
                Some(topic) => topic.merge(theirs),
                None => drop(self.topics.insert(term.clone(), theirs.clone())),
            }
        }
        for (text, theirs) in &other.chats {
            match self.chats.get_mut(text) {
                Some(chat) => chat.merge(theirs),
                None => drop(self.chats.insert(text.clone(), theirs.clone())),
            }
        }
        for (language, share) in &other.languages {
            *self.languages.entry(language.clone()).or_default() += share;
        }
        self.spoken += other.spoken;
        self.shown = (self.shown.0.max(other.shown.0), self.shown.1.max(other.shown.1));
    }

    /// The hottest topics. A topic cannot have more authors than `users`, the frame.
    pub(super) fn hot_topics(&self, users: u64) -> (Vec<HotTopic>, Vec<TopicRange>) {
        let mut topics: Vec<(&Topic, HotTopic)> =
            self.topics.iter().map(|(term, topic)| (topic, topic.shown(term, users))).collect();
        let heat = |topic: &HotTopic| topic.users as f64 * (1.0 + topic.lift).ln();
        topics.sort_by(|(a, a_shown), (b, b_shown)| {
            heat(b_shown)
                .total_cmp(&heat(a_shown))
                .then(a.place.cmp(&b.place))
                .then_with(|| a_shown.term.cmp(&b_shown.term))
        });
        let ranked: Vec<HotTopic> = topics.into_iter().map(|(_, shown)| shown).collect();
        // One window calls a topic by its two words, another by one of them.
        let mut shown = distinct(ranked);
        shown.truncate(self.shown.0);
        let range = |topic: &HotTopic| {
            let known = &self.topics[&topic.term];
            TopicRange { term: topic.term.clone(), windows: known.windows, users_least: known.users_least }
        };
        let ranges = shown.iter().map(range).collect();
        (shown, ranges)
    }

    /// The most typical messages, ranked as those of a window are.
    pub(super) fn top_chats(&self, topics: &[HotTopic], mood: f64) -> Vec<TopChat> {
        let worth = |chat: &Chat| {
            let terms: HashSet<String> = term_set(&chat.first.2);
            let on_topic = topics.iter().filter(|topic| terms.contains(&topic.term)).count().min(2) as f64;
            let felt = chat.mood as f64 / 100.0;
            let with_crowd = if chat.mood == 0 { 0.0 } else { 1.0 - (felt - mood).abs() };
            (chat.echoes as f64).ln_1p() + 0.7 * on_topic + 0.5 * with_crowd + 0.1 * terms.len().min(5) as f64
        };
        let mut chats: Vec<(f64, &Chat)> = self.chats.values().map(|chat| (worth(chat), chat)).collect();
        chats.sort_by(|(a_worth, a), (b_worth, b)| {
            b_worth.total_cmp(a_worth).then(a.place.cmp(&b.place)).then_with(|| a.first.cmp(&b.first))
        });
        chats.into_iter().take(self.shown.1).map(|(_, chat)| chat.shown()).collect()
    }

    pub(super) fn languages(&self) -> Vec<LanguageShare> {
        let share = |(language, share): (&String, &u64)| LanguageShare {
            language: language.clone(),
            share: mean(*share as i64, self.spoken),
        };
        let mut shares: Vec<LanguageShare> = self.languages.iter().map(share).collect();
        shares.sort_by(|a, b| b.share.total_cmp(&a.share));
        shares
    }
}

impl Topic {
    fn of(topic: &HotTopic, place: usize) -> Self {
        let HotTopic { chats, users, lift, mood, .. } = *topic;
        let (lift_weight, mood_weight) = (users.max(1), chats.max(1));
        let (lift, mood) = (hundredths(lift) * lift_weight as i64, hundredths(mood) * mood_weight as i64);
        Self { place, windows: 1, chats, users, users_least: users, lift, lift_weight, mood, mood_weight }
    }

    fn merge(&mut self, other: &Self) {
        self.place = self.place.min(other.place);
        self.windows += other.windows;
        self.chats += other.chats;
        self.users += other.users;
        self.users_least = self.users_least.max(other.users_least);
        self.lift += other.lift;
        self.lift_weight += other.lift_weight;
        self.mood += other.mood;
        self.mood_weight += other.mood_weight;
    }

    fn shown(&self, term: &str, users: u64) -> HotTopic {
        HotTopic {
            term: term.to_owned(),
            chats: self.chats,
            users: self.users.min(users.max(self.users_least)),
            lift: mean(self.lift, self.lift_weight),
            mood: mean(self.mood, self.mood_weight),
        }
    }
}

impl Chat {
    fn of(chat: &TopChat, place: usize) -> Self {
        let first = (chat.timestamp, chat.user_id.clone(), chat.text.clone(), chat.id.clone());
        Self { place, first, user_name: chat.user_name.clone(), mood: hundredths(chat.mood), echoes: chat.echoes }
    }

    fn merge(&mut self, other: &Self) {
        if other.first < self.first {
            (self.first, self.user_name, self.mood) = (other.first.clone(), other.user_name.clone(), other.mood);
        }
        self.place = self.place.min(other.place);
        self.echoes += other.echoes;
    }

    fn shown(&self) -> TopChat {
        let (timestamp, user_id, text, id) = self.first.clone();
        let (user_name, mood) = (self.user_name.clone(), self.mood as f64 / 100.0);
        TopChat { id, user_id, user_name, text, timestamp, echoes: self.echoes, mood }
    }
}
