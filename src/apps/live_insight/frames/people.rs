//! The most active authors and the outliers of several windows.

use std::collections::BTreeMap;

use tidemill_schemas::{Insight, UserActivity};

use super::view::AtMost;

/// A list of at least this length may be cut off, if the window does not tell what the others have.
const CUT: usize = 5;

/// The messages of authors, as far as the windows list them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct People {
    users: BTreeMap<String, User>,
    /// The sum of what authors outside of the windows' lists wrote at most.
    unlisted: u64,
    /// The most authors that a window shows.
    shown: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    /// The first window with this author, and the place in its list.
    first: (i64, usize),
    /// The name in the newest window.
    name: (i64, String),
    chats: u64,
    /// Hundredths of mood times messages.
    mood: i64,
    weight: u64,
    /// What authors outside of the lists wrote at most in those windows that list this author.
    listed: u64,
}

impl People {
    pub(super) fn active(insight: &Insight) -> Self {
        let more = insight.remainder.as_ref().map(|remainder| (&remainder.active_users, remainder.others_at_most));
        let cut_off = || insight.active_users.get(CUT - 1).map_or(0, |last| last.chats);
        let unlisted = more.map_or_else(cut_off, |(_, at_most)| at_most);
        let listed = insight.active_users.iter().chain(more.iter().flat_map(|(users, _)| users.iter()));
        Self::listed(listed, unlisted, insight.active_users.len(), insight.window_start_ms)
    }

    pub(super) fn outliers(insight: &Insight) -> Self {
        Self::listed(insight.outliers.iter(), 0, insight.outliers.len(), insight.window_start_ms)
    }

    fn listed<'a>(users: impl Iterator<Item = &'a UserActivity>, unlisted: u64, shown: usize, at_ms: i64) -> Self {
        let user = |(place, user): (usize, &UserActivity)| {
            let weight = user.chats.max(1);
            let mood = hundredths(user.mood) * weight as i64;
            let name = (at_ms, user.user_name.clone());
            (
                user.user_id.clone(),
                User { first: (at_ms, place), name, chats: user.chats, mood, weight, listed: unlisted },
            )
        };
        Self { users: users.enumerate().map(user).collect(), unlisted, shown }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (id, theirs) in &other.users {
            let Some(user) = self.users.get_mut(id) else {
                self.users.insert(id.clone(), theirs.clone());
                continue;
            };
            if theirs.name >= user.name {
                user.name.clone_from(&theirs.name);
            }
            user.first = user.first.min(theirs.first);
            user.chats += theirs.chats;
            user.mood += theirs.mood;
            user.weight += theirs.weight;
            user.listed += theirs.listed;
        }
        self.unlisted += other.unlisted;
        self.shown = self.shown.max(other.shown);
    }

    /// The authors with the most messages, each with the most that the author may have written.
    pub(super) fn most_active(&self) -> (Vec<UserActivity>, Vec<AtMost>) {
        let mut users: Vec<(&String, &User)> = self.users.iter().collect();
        users.sort_by(|a, b| b.1.chats.cmp(&a.1.chats).then_with(|| a.0.cmp(b.0)));
        users.truncate(self.shown);
        let at_most = |(id, user): &(&String, &User)| AtMost {
            id: (*id).clone(),
            at_most: user.chats + self.unlisted - user.listed,
        };
        (users.iter().map(|(id, user)| user.activity(id)).collect(), users.iter().map(at_most).collect())
    }

    /// All authors, in the order in which the windows list them.
    pub(super) fn all(&self) -> Vec<UserActivity> {
        let mut users: Vec<(&String, &User)> = self.users.iter().collect();
        users.sort_by_key(|(_, user)| user.first);
        users.into_iter().map(|(id, user)| user.activity(id)).collect()
    }

    /// What an author outside of the windows' lists wrote at most.
    pub(super) fn others_at_most(&self) -> u64 {
        self.unlisted
    }
}

impl User {
    fn activity(&self, id: &str) -> UserActivity {
        let mood = mean(self.mood, self.weight);
        UserActivity { user_id: id.to_owned(), user_name: self.name.1.clone(), chats: self.chats, mood }
    }
}

/// A number with two decimal places as a whole number. Sums of whole numbers do not depend on their order.
pub(super) fn hundredths(value: f64) -> i64 {
    (value * 100.0).round() as i64
}

/// A mean of hundredths, rounded to two decimal places.
pub(super) fn mean(sum: i64, weight: u64) -> f64 {
    (sum as f64 / weight.max(1) as f64).round() / 100.0
}
