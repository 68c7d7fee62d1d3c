//! The mood of a crowd. A few loud accounts must not decide it.

use std::collections::BTreeMap;

use tidemill_schemas::MoodLabel;

use super::feeling::Feeling;
use super::reading::ReadChat;

/// The messages of one author, summed up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UserMood {
    pub(super) chats: u32,
    expressive: u32,
    /// Expressive messages that are mostly anger.
    angry: u32,
    sum: f64,
}

impl UserMood {
    /// Mean over the expressive messages.
    pub(super) fn mean(&self) -> f64 {
        if self.expressive == 0 { 0.0 } else { self.sum / f64::from(self.expressive) }
    }

    /// Mean over all messages. A neutral message has half the weight of an expressive one and moves the mean towards 0.
    fn calmed(&self) -> f64 {
        self.sum / self.counted().max(1.0)
    }

    /// The author's weight. It grows with the number of messages, but never exceeds the weight of two people.
    fn weight(&self) -> f64 {
        self.counted().sqrt().min(2.0)
    }

    fn counted(&self) -> f64 {
        f64::from(self.expressive) + 0.5 * f64::from(self.chats - self.expressive)
    }
}

/// The mood of all authors together.
#[derive(Debug, Clone)]
pub(super) struct CrowdMood {
    /// From -1 to 1. Each author's weight is limited, and outliers have little weight.
    pub(super) mood: f64,
    pub(super) label: MoodLabel,
    /// The mood of each author, by the author's index.
    pub(super) users: BTreeMap<usize, UserMood>,
    /// Authors far more hostile than all others.
    pub(super) outliers: Vec<usize>,
    /// Number of authors who expressed a feeling.
    pub(super) expressive_users: usize,
}

/// An author with fewer expressive messages is not an outlier.
const OUTLIER_CHATS: u32 = 3;
const OUTLIER_MOOD: f64 = -0.4;
/// At most this share of the authors can be outliers. A larger group is part of the crowd.
const OUTLIER_SHARE: f64 = 0.15;
/// The weight of an outlier.
const OUTLIER_WEIGHT: f64 = 0.1;
/// This many neutral authors are added, so that two happy messages do not make a euphoric crowd.
const PRIOR_USERS: f64 = 2.0;

impl CrowdMood {
    pub(super) fn of<'a, 'b: 'a>(chats: impl Iterator<Item = &'a ReadChat<'b>> + Clone) -> Self {
        let chats = chats.filter(|chat| !chat.command);
        let mut users: BTreeMap<usize, UserMood> = BTreeMap::new();
        for chat in chats.clone() {
            let user = users.entry(chat.user).or_default();
            user.chats += 1;
            if chat.mood.expressive {
                user.expressive += 1;
                user.sum += chat.mood.valence;
                user.angry += u32::from(chat.mood.feeling == Some(Feeling::Anger));
            }
        }
        let outliers = outliers(&users);
        let trust = |user: &usize| if outliers.contains(user) { OUTLIER_WEIGHT } else { 1.0 };
        let (mut sum, mut weights) = (0.0, PRIOR_USERS);
        for (user, mood) in &users {
            let weight = mood.weight() * trust(user);
            sum += weight * mood.calmed();
            weights += weight;
        }
        let mood = sum / weights;
        let expressive_users = users.values().filter(|user| user.expressive > 0).count();
        let mut feelings: BTreeMap<Feeling, f64> = BTreeMap::new();
        let (mut expressive, mut total) = (0.0, 0.0);
        for chat in chats {
            total += 1.0;
            if let Some(feeling) = chat.mood.feeling {
                let user = users.get(&chat.user).copied().unwrap_or_default();
                let weight = trust(&chat.user) * user.weight() / f64::from(user.expressive.max(1));
                *feelings.entry(feeling).or_default() += weight;
                expressive += 1.0;
            }
        }
        let label = label(mood, expressive / f64::max(total, 1.0), &feelings);
        Self { mood, label, users, outliers, expressive_users }
    }

    /// The mood as a score from 0 to 100. Without authors the mood is neutral.
    pub(super) fn vibe_score(&self) -> u8 {
        vibe_score(self.mood)
    }
}

/// Converts a mood from -1 to 1 into a score from 0 to 100. A crowd's mean is seldom outside -0.7..0.7.
pub(super) fn vibe_score(mood: f64) -> u8 {
    (50.0 + 70.0 * mood).round().clamp(0.0, 100.0) as u8
}

fn outliers(users: &BTreeMap<usize, UserMood>) -> Vec<usize> {
    let hostile: Vec<usize> = users
        .iter()
        // Complaints about the stream are not hostile, even if one author writes many of them.
        .filter(|(_, user)| user.expressive >= OUTLIER_CHATS && user.mean() <= OUTLIER_MOOD)
        .filter(|(_, user)| 2 * user.angry > user.expressive)
        .map(|(user, _)| *user)
        .collect();
    let others: Vec<f64> = users
        .iter()
        .filter(|(user, mood)| mood.expressive > 0 && !hostile.contains(user))
        .map(|(_, mood)| mood.mean())
        .collect();
    let others_mood = others.iter().sum::<f64>() / others.len().max(1) as f64;
    let few = hostile.len() as f64 <= OUTLIER_SHARE * users.len() as f64;
    if few && others_mood > -0.1 { hostile } else { Vec::new() }
}

fn label(mood: f64, expressive: f64, feelings: &BTreeMap<Feeling, f64>) -> MoodLabel {
    if feelings.is_empty() || expressive < 0.1 {
        return MoodLabel::Calm;
    }
    let of = |feeling: Feeling| feelings.get(&feeling).copied().unwrap_or(0.0);
    let strongest = |choices: &[(f64, MoodLabel)]| {
        choices.iter().max_by(|a, b| a.0.total_cmp(&b.0)).map_or(MoodLabel::Calm, |choice| choice.1)
    };
    if mood > 0.15 {
        strongest(&[
            (of(Feeling::Joy) + of(Feeling::Love), MoodLabel::Happy),
            // Excitement and laughter are rarer than thanks and greetings, so they weigh more.
            (1.3 * of(Feeling::Laugh), MoodLabel::Amused),
            (1.3 * of(Feeling::Hype), MoodLabel::Hyped),
        ])
    } else if mood < -0.12 {
        strongest(&[
            (of(Feeling::Anger), MoodLabel::Angry),
            (of(Feeling::Frustrated), MoodLabel::Frustrated),
            (of(Feeling::Bored), MoodLabel::Bored),
            (of(Feeling::Sad) + of(Feeling::Fear), MoodLabel::Sad),
        ])
    } else {
        let total: f64 = feelings.values().sum();
        let bright = of(Feeling::Joy) + of(Feeling::Love) + of(Feeling::Hype) + of(Feeling::Laugh);
        if (0.3..=0.7).contains(&(bright / total)) { MoodLabel::Mixed } else { MoodLabel::Calm }
    }
}
