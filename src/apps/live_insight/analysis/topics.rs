//! Finds hot topics: terms that many authors use, and use more often than in earlier windows.

use std::collections::{BTreeMap, HashMap, HashSet};

use tidemill_schemas::HotTopic;

use super::numbers::round2;
use super::reading::Reading;
use super::trend::StreamTrend;

/// The number of topics that an insight shows.
const TOPICS: usize = 5;
/// The number of further topics for longer time frames.
const MORE: usize = 7;
/// A pair of words replaces its two words if this share of their authors use the pair.
const PAIR_SHARE: f64 = 0.6;

/// Uses of a term.
#[derive(Debug, Default)]
struct Uses {
    chats: u64,
    users: HashSet<usize>,
    mood: f64,
    /// Lengths of the messages. The number of different lengths shows how varied the messages are.
    lengths: HashSet<usize>,
}

/// The share of authors who used each term, for the baseline of later windows.
pub(super) fn term_shares(reading: &Reading<'_>) -> BTreeMap<String, f64> {
    let users = reading.users.len().max(1) as f64;
    let all = uses(reading).into_iter().filter(|(_, uses)| uses.users.len() >= 2);
    all.map(|(term, uses)| (term.to_owned(), uses.users.len() as f64 / users)).collect()
}

/// The hottest topics, hottest first, and the next hot topics.
pub(super) fn hot_topics(reading: &Reading<'_>, trend: &StreamTrend) -> (Vec<HotTopic>, Vec<HotTopic>) {
    let everybody = reading.users.len() as f64;
    let least = if everybody >= 15.0 { 3.0_f64.max(0.02 * everybody) } else { 2.0 };
    // Rare terms are uncertain, so every term is treated as if some authors had always used it.
    let unseen = 1.0 / (everybody + 20.0);
    let mut topics: Vec<(f64, HotTopic)> = uses(reading)
        .into_iter()
        .filter(|(_, uses)| uses.users.len() as f64 >= least)
        .map(|(term, uses)| {
            let users = uses.users.len() as f64;
            let usual = trend.term_share(term);
            let lift = (users / everybody + unseen) / (usual + unseen);
            let topic = HotTopic {
                term: term.to_owned(),
                chats: uses.chats,
                users: uses.users.len() as u64,
                lift: round2(lift),
                mood: round2(uses.mood / uses.chats as f64),
            };
            // A line that many people repeat is less of a topic than different messages about it.
            let variety = (0.4 + 0.2 * uses.lengths.len() as f64).min(1.0);
            (users * variety * (1.0 + lift).ln(), topic)
        })
        .collect();
    topics.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.term.cmp(&b.1.term)));
    let mut shown = distinct(topics.into_iter().map(|(_, topic)| topic).collect());
    let more = shown.split_off(shown.len().min(TOPICS));
    (shown, more)
}

fn uses<'a>(reading: &'a Reading<'_>) -> HashMap<&'a str, Uses> {
    let mut all: HashMap<&str, Uses> = HashMap::new();
    for chat in &reading.chats {
        for term in &chat.terms {
            let uses = all.entry(term).or_default();
            uses.chats += 1;
            uses.users.insert(chat.user);
            uses.mood += chat.mood.valence;
            uses.lengths.insert(chat.message.text.len());
        }
    }
    all
}

/// Keeps one of several topics with the same meaning: a pair and its words, a plural and its singular.
pub(in crate::apps::live_insight) fn distinct(ranked: Vec<HotTopic>) -> Vec<HotTopic> {
    let pairs: Vec<HotTopic> = ranked.iter().filter(|topic| topic.term.contains(' ')).cloned().collect();
    let mut kept: Vec<HotTopic> = Vec::new();
    for topic in ranked {
        let covered = pairs.iter().any(|pair| {
            pair.term.split(' ').any(|part| part == topic.term) && pair.users as f64 >= PAIR_SHARE * topic.users as f64
        });
        let pair_is_weak = topic
            .term
            .split_once(' ')
            .is_some_and(|parts| kept.iter().any(|known| known.term == parts.0 || known.term == parts.1));
        // Two pairs that overlap are one phrase, and the hotter pair names it.
        let overlaps = kept.iter().any(|known| {
            known.term.contains(' ')
                && topic.term.contains(' ')
                && topic.term.split(' ').any(|part| known.term.split(' ').any(|other| other == part))
        });
        let plural = kept.iter().any(|known| same_word(&known.term, &topic.term));
        if !covered && !pair_is_weak && !overlaps && !plural {
            kept.push(topic);
        }
        if kept.len() == TOPICS + MORE {
            break;
        }
    }
    kept
}

fn same_word(a: &str, b: &str) -> bool {
    let stem = |word: &str| word.strip_suffix("es").or_else(|| word.strip_suffix('s')).unwrap_or(word).to_owned();
    a != b && (a.trim_end_matches('s') == b.trim_end_matches('s') || stem(a) == stem(b))
}
