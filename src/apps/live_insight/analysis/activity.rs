//! The most active authors, the most typical messages, and the languages of the chat.

use std::collections::{BTreeMap, HashMap, HashSet};

use tidemill_schemas::{HotTopic, LanguageShare, TopChat, UserActivity};

use super::crowd::CrowdMood;
use super::echo::echo;
use super::numbers::round2;
use super::reading::{ReadChat, Reading};
use super::shown::name;

/// The number of authors that an insight shows.
const ACTIVE_USERS: usize = 5;
/// The number of further authors for longer time frames.
pub(super) const MORE_USERS: usize = 15;
const TOP_CHATS: usize = 5;
/// A hot topic in a message counts as this many echoes.
const TOPIC_WORTH: f64 = 0.7;

/// The authors with the most messages, the most active first, and the next active authors with one more than are kept.
pub(super) fn active_users(reading: &Reading<'_>, crowd: &CrowdMood) -> (Vec<UserActivity>, Vec<UserActivity>) {
    let mut users: Vec<usize> = crowd.users.keys().copied().collect();
    let id = |user: &usize| &reading.users[*user].user_id;
    users.sort_by(|a, b| crowd.users[b].chats.cmp(&crowd.users[a].chats).then_with(|| id(a).cmp(id(b))));
    users.truncate(ACTIVE_USERS + MORE_USERS + 1);
    let mut shown: Vec<UserActivity> = users.into_iter().map(|user| activity(reading, crowd, user)).collect();
    let more = shown.split_off(shown.len().min(ACTIVE_USERS));
    (shown, more)
}

/// The hostile authors who have little weight in the vibe score.
pub(super) fn outliers(reading: &Reading<'_>, crowd: &CrowdMood) -> Vec<UserActivity> {
    crowd.outliers.iter().map(|user| activity(reading, crowd, *user)).collect()
}

fn activity(reading: &Reading<'_>, crowd: &CrowdMood, user: usize) -> UserActivity {
    let mood = crowd.users.get(&user).copied().unwrap_or_default();
    UserActivity {
        user_id: reading.users[user].user_id.clone(),
        user_name: name(reading.users[user]),
        chats: u64::from(mood.chats),
        mood: round2(mood.mean()),
    }
}

/// The most typical messages: others wrote the same, the topic is hot, and the mood is the crowd's mood.
pub(super) fn top_chats(reading: &Reading<'_>, crowd: &CrowdMood, topics: &[HotTopic]) -> Vec<TopChat> {
    let mut groups: HashMap<String, (usize, HashSet<usize>)> = HashMap::new();
    for (i, chat) in reading.chats.iter().enumerate() {
        if !chat.command && !crowd.outliers.contains(&chat.user) && chat.message.has_text() {
            groups.entry(echo(&chat.message.text)).or_insert_with(|| (i, HashSet::new())).1.insert(chat.user);
        }
    }
    let worth = |chat: &ReadChat<'_>, echoes: usize| {
        let on_topic = topics.iter().filter(|topic| chat.terms.contains(&topic.term)).count().min(2) as f64;
        let with_crowd = if chat.mood.expressive { 1.0 - (chat.mood.valence - crowd.mood).abs() } else { 0.0 };
        // A sentence is worth more than a cheer, unless very many people write the cheer.
        let sentence = (chat.terms.len().min(5) as f64) * 0.1;
        (echoes as f64).ln_1p() + TOPIC_WORTH * on_topic + 0.5 * with_crowd + sentence
    };
    let mut ranked: Vec<(f64, usize, usize)> = groups
        .into_values()
        .map(|(first, users)| (worth(&reading.chats[first], users.len()), first, users.len()))
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    ranked
        .into_iter()
        .take(TOP_CHATS)
        .map(|(_, first, echoes)| {
            let chat = &reading.chats[first];
            TopChat {
                id: chat.message.id.clone(),
                user_id: chat.message.user_id.clone(),
                user_name: name(chat.message),
                text: chat.message.text.clone(),
                timestamp: chat.message.timestamp,
                echoes: echoes as u64,
                mood: round2(chat.mood.valence),
            }
        })
        .collect()
}

/// Languages of the messages whose language is recognisable, most used first.
pub(super) fn languages(reading: &Reading<'_>) -> Vec<LanguageShare> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for language in reading.chats.iter().filter_map(|chat| chat.mood.language) {
        *counts.entry(language.code()).or_default() += 1;
    }
    let total: u32 = counts.values().sum();
    let mut shares: Vec<LanguageShare> = counts
        .into_iter()
        .map(|(code, count)| LanguageShare {
            language: code.to_owned(),
            share: round2(f64::from(count) / f64::from(total)),
        })
        .collect();
    shares.sort_by(|a, b| b.share.total_cmp(&a.share));
    shares
}
