//! The mood of a crowd, which a few loud accounts must not decide.

use std::collections::BTreeMap;

use tidemill_schemas::MoodLabel;

use super::lexicon::Feeling;
use super::reading::ReadChat;

/// What one author contributed.
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

    /// Mean over all messages; neutral ones pull it towards the middle, at half their number.
    fn calmed(&self) -> f64 {
        self.sum / self.counted().max(1.0)
    }

    /// More messages count more, but never more than two people.
    fn weight(&self) -> f64 {
        self.counted().sqrt().min(2.0)
    }

    fn counted(&self) -> f64 {
        f64::from(self.expressive) + 0.5 * f64::from(self.chats - self.expressive)
    }
}

/// The mood of everybody who wrote.
#[derive(Debug, Clone)]
pub(super) struct CrowdMood {
    /// From -1 to 1, each author's weight capped, outliers aside.
    pub(super) mood: f64,
    pub(super) label: MoodLabel,
    /// By author's index.
    pub(super) users: BTreeMap<usize, UserMood>,
    /// Authors far more hostile than all others.
    pub(super) outliers: Vec<usize>,
    /// Authors who expressed anything.
    pub(super) expressive_users: usize,
}

/// Fewer messages than this make nobody an outlier.
const OUTLIER_CHATS: u32 = 3;
const OUTLIER_MOOD: f64 = -0.4;
/// At most this part of the authors can be outliers; more of them are the crowd.
const OUTLIER_SHARE: f64 = 0.15;
/// What an outlier still counts.
const OUTLIER_WEIGHT: f64 = 0.1;
/// Neutral authors added, so that two happy messages do not make a euphoric crowd.
const PRIOR_USERS: f64 = 2.0;

impl CrowdMood {
    pub(super) fn of<'a, 'b: 'a>(chats: impl Iterator<Item = &'a ReadChat<'b>> + Clone) -> Self {
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

    /// The mood as a score from 0 to 100; nobody's mood is neutral.
    pub(super) fn vibe_score(&self) -> u8 {
        vibe_score(self.mood)
    }
}

/// A mood from -1 to 1 as a score from 0 to 100; a crowd's mean seldom leaves -0.7..0.7.
pub(super) fn vibe_score(mood: f64) -> u8 {
    (50.0 + 70.0 * mood).round().clamp(0.0, 100.0) as u8
}

fn outliers(users: &BTreeMap<usize, UserMood>) -> Vec<usize> {
    let hostile: Vec<usize> = users
        .iter()
        // Complaints about the stream are no hostility, however many come from one author.
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
            // Excitement and laughter are rarer than thanks and greetings, and say more.
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
