//! The support of a window: amounts by currency, and memberships. Also the mood of a message that supports.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use tidemill_schemas::{ChatMessage, CurrencySum, MembershipKind, Support, Supporter};

use super::feeling::Feeling;
use super::reading::Reading;
use super::sentiment::MessageMood;

/// The mood of support whose text says nothing about it.
const VALENCE: f64 = 0.6;
/// The maximum number of supporters of a currency.
const SUPPORTERS: usize = 3;
/// The maximum number of currencies.
const CURRENCIES: usize = 20;

/// The mood of a message. Whoever supports the stream is glad, unless the text says something else.
pub(super) fn felt(mood: MessageMood, message: &ChatMessage) -> MessageMood {
    if mood.expressive || !message.supports() {
        return mood;
    }
    MessageMood { valence: VALENCE, expressive: true, feeling: Some(Feeling::Joy), ..mood }
}

/// The amounts in one currency.
#[derive(Default)]
struct Sum {
    micros: i64,
    messages: u64,
    /// Sums by author, as index of [`Reading::users`].
    users: HashMap<usize, i64>,
}

/// The support of a window; `None` if no message carries an amount or a membership.
pub(super) fn support(reading: &Reading<'_>) -> Option<Support> {
    let mut support = Support::default();
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for chat in &reading.chats {
        if let Some(amount) = &chat.message.amount {
            support.paid += 1;
            let sum = sums.entry(&amount.currency).or_default();
            sum.messages += 1;
            sum.micros = sum.micros.saturating_add(amount.micros);
            let user = sum.users.entry(chat.user).or_default();
            *user = user.saturating_add(amount.micros);
        }
        if let Some(membership) = &chat.message.membership {
            match membership.kind {
                MembershipKind::New => support.new_members += 1,
                MembershipKind::Gift => support.gifted_members += u64::from(membership.count.unwrap_or(1)),
                MembershipKind::Milestone => support.milestones += 1,
            }
        }
    }
    support.sums = sums.into_iter().map(|(currency, sum)| of_currency(reading, currency, sum)).collect();
    support.sums.sort_by_key(|sum| Reverse(sum.messages));
    support.sums.truncate(CURRENCIES);
    (support != Support::default()).then_some(support)
}

fn of_currency(reading: &Reading<'_>, currency: &str, sum: Sum) -> CurrencySum {
    let of_user = |(user, micros): (usize, i64)| {
        let author = reading.users[user];
        Supporter { user_id: author.user_id.clone(), user_name: author.author().to_owned(), micros }
    };
    let mut supporters: Vec<Supporter> = sum.users.into_iter().map(of_user).collect();
    supporters.sort_by(|a, b| b.micros.cmp(&a.micros).then_with(|| a.user_id.cmp(&b.user_id)));
    supporters.truncate(SUPPORTERS);
    CurrencySum { currency: currency.to_owned(), micros: sum.micros, messages: sum.messages, supporters }
}
