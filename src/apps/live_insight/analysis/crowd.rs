//! The mood of a crowd. A few loud accounts must not decide it.

use std::collections::BTreeMap;

use statrs::function::factorial::ln_binomial;
use tidemill_schemas::MoodLabel;

use super::chance::Count;
use super::feeling::Feeling;
use super::reading::ReadChat;

/// The messages of one author, summed up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct UserMood {
    pub(super) chats: u32,
    expressive: u32,
    /// Hostile messages: expressive messages that are mostly anger.
    hostile: u32,
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
    /// Authors far more hostile than all others. They write most of the hostile messages.
    pub(super) outliers: Vec<usize>,
    /// Number of authors who expressed a feeling.
    pub(super) expressive_users: usize,
    /// How much authors differ from each other: the variance of what one author adds to the sum of moods.
    pub(super) variance: f64,
    /// The sum of the authors' weights.
    weights: f64,
}

/// An author with fewer expressive messages is not an outlier.
const OUTLIER_CHATS: u32 = 3;
const OUTLIER_MOOD: f64 = -0.4;
/// At most this share of the authors can be outliers. A larger group is part of the crowd.
const OUTLIER_SHARE: f64 = 0.15;
/// An author who is so hostile by chance in one window of a hundred is not an outlier.
const ONE_BY_CHANCE: f64 = 0.01;
/// The outliers are no chance if some authors write so much of the hostility by chance less than once in so many
/// windows. A stream has a few hundred windows in a few hours.
const ALL_BY_CHANCE: f64 = 1e-5;
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
                user.hostile += u32::from(chat.mood.feeling == Some(Feeling::Anger));
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
        let mean = sum / (weights - PRIOR_USERS).max(f64::MIN_POSITIVE);
        let squares = users.iter().map(|(user, mood)| (mood.weight() * trust(user) * (mood.calmed() - mean)).powi(2));
        let variance = squares.sum::<f64>() / (users.len() as f64 - 1.0).max(1.0);
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
        Self { mood, label, users, outliers, expressive_users, variance, weights }
    }

    /// The variance that chance gives the mood of so many authors, if they differ from each other by `variance`.
    pub(super) fn by_chance(&self, variance: f64) -> f64 {
        variance * self.users.len() as f64 / self.weights.powi(2)
    }

    /// The number of hostile messages of the outliers, and of all authors.
    pub(super) fn hostile(&self) -> (u32, u32) {
        let theirs = self.outliers.iter().map(|user| self.users[user].hostile).sum();
        (theirs, self.users.values().map(|user| user.hostile).sum())
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

/// A few authors who write most of the hostile messages, if that is no chance: if hostile messages fall on all messages
/// evenly, then so many of them seldom fall on so few authors.
fn outliers(users: &BTreeMap<usize, UserMood>) -> Vec<usize> {
    // Complaints about the stream are not hostile, even if one author writes many of them.
    let is_hostile = |user: &UserMood| {
        user.expressive >= OUTLIER_CHATS && user.mean() <= OUTLIER_MOOD && 2 * user.hostile > user.expressive
    };
    let others = hostility(users.values().filter(|user| !is_hostile(user)));
    let outliers: Vec<usize> = users
        .iter()
        .filter(|(_, user)| is_hostile(user) && by_chance([*user].into_iter(), others, users.len()) < ONE_BY_CHANCE)
        .map(|(user, _)| *user)
        .collect();
    let few = outliers.len() as f64 <= OUTLIER_SHARE * users.len() as f64;
    if outliers.is_empty() || !few {
        return Vec::new();
    }
    let (theirs, rest): (Vec<_>, Vec<_>) = users.iter().partition(|(user, _)| outliers.contains(user));
    let others = hostility(rest.iter().map(|(_, user)| *user));
    let most = hostility(theirs.iter().map(|(_, user)| *user)).count > others.count;
    let chance = by_chance(theirs.iter().map(|(_, user)| *user), others, users.len());
    let moods: Vec<f64> = rest.iter().filter(|(_, user)| user.expressive > 0).map(|(_, user)| user.mean()).collect();
    let others_mood = moods.iter().sum::<f64>() / moods.len().max(1) as f64;
    if most && chance < ALL_BY_CHANCE && others_mood > -0.1 { outliers } else { Vec::new() }
}

/// The hostile messages among all messages of some authors. A message takes the place of a second.
fn hostility<'a>(authors: impl Iterator<Item = &'a UserMood>) -> Count {
    let start = Count { count: 0.0, seconds: 0.0 };
    authors.fold(start, |sum, user| Count {
        count: sum.count + f64::from(user.hostile),
        seconds: sum.seconds + f64::from(user.chats),
    })
}

/// How probable it is that among `everybody` there are so few authors who are so much more hostile than the others.
fn by_chance<'a>(few: impl Iterator<Item = &'a UserMood> + Clone, others: Count, everybody: usize) -> f64 {
    let choices = ln_binomial(everybody as u64, few.clone().count() as u64).exp();
    choices * hostility(few).more_than(others)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The outliers among authors with so many messages, of which so many are hostile.
    fn among(authors: impl Iterator<Item = (u32, u32)>) -> Vec<usize> {
        let user = |(chats, hostile)| UserMood { chats, expressive: hostile, hostile, sum: -0.8 * f64::from(hostile) };
        outliers(&authors.map(user).enumerate().collect())
    }

    #[test]
    fn trolls_write_most_of_the_hostile_messages_and_more_than_chance_gives() {
        let calm = |count: usize| std::iter::repeat_n((3, 0), count);
        assert_eq!(among(calm(40).chain([(6, 6)])), [40]);
        assert_eq!(among(calm(40).chain([(6, 6), (7, 6)])), [40, 41]);
        assert_eq!(among(calm(260).chain([(3, 3)])), [0; 0], "of so many authors, one may be so hostile by chance");
        let angry_once = std::iter::repeat_n((3, 1), 8);
        let glad = UserMood { chats: 3, expressive: 3, hostile: 0, sum: 2.0 };
        let mut users: BTreeMap<usize, UserMood> = (0..40).map(|user| (user, glad)).collect();
        for (chats, hostile) in angry_once.chain([(6, 6)]) {
            let sum = -0.8 * f64::from(hostile);
            users.insert(users.len(), UserMood { chats, expressive: hostile, hostile, sum });
        }
        assert_eq!(outliers(&users), [0; 0], "others write most of the hostile messages");
    }
}
