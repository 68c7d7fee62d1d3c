//! The support of several windows.

use std::{cmp::Reverse, collections::BTreeMap};

use tidemill_schemas::{CurrencySum, Insight, Support, Supporter};

use super::view::AtMost;

/// A window shows so many supporters of a currency. A list of this length may be cut off.
const SUPPORTERS: usize = 3;
const CURRENCIES: usize = 20;

/// Sums by currency, and memberships.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Given {
    total: Option<Support>,
    sums: BTreeMap<String, Sum>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Sum {
    micros: i128,
    messages: u64,
    supporters: BTreeMap<String, Gift>,
    /// What supporters outside of the windows' lists gave at most.
    unlisted: i128,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Gift {
    name: String,
    micros: i128,
    /// What others gave at most in those windows that list this supporter.
    listed: i128,
}

impl Given {
    pub(super) fn of(insight: &Insight) -> Self {
        let Some(support) = &insight.support else { return Self::default() };
        let sum = |sum: &CurrencySum| {
            let unlisted = sum.supporters.get(SUPPORTERS - 1).map_or(0, |last| i128::from(last.micros));
            let gift = |one: &Supporter| {
                let name = one.user_name.clone();
                (one.user_id.clone(), Gift { name, micros: i128::from(one.micros), listed: unlisted })
            };
            let supporters = sum.supporters.iter().map(gift).collect();
            let (micros, messages) = (i128::from(sum.micros), sum.messages);
            (sum.currency.clone(), Sum { micros, messages, supporters, unlisted })
        };
        let total = Support { sums: Vec::new(), ..support.clone() };
        Self { total: Some(total), sums: support.sums.iter().map(sum).collect() }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if let Some(theirs) = &other.total {
            let total = self.total.get_or_insert_default();
            total.paid += theirs.paid;
            total.new_members += theirs.new_members;
            total.gifted_members += theirs.gifted_members;
            total.milestones += theirs.milestones;
        }
        for (currency, theirs) in &other.sums {
            let sum = self.sums.entry(currency.clone()).or_default();
            sum.micros += theirs.micros;
            sum.messages += theirs.messages;
            sum.unlisted += theirs.unlisted;
            for (id, given) in &theirs.supporters {
                let gift = sum.supporters.entry(id.clone()).or_default();
                if gift.name < given.name {
                    gift.name.clone_from(&given.name);
                }
                gift.micros += given.micros;
                gift.listed += given.listed;
            }
        }
    }

    /// The support, and for each supporter that it shows what the supporter gave at most, in millionths of a unit.
    pub(super) fn support(&self) -> (Option<Support>, Vec<AtMost>) {
        let Some(total) = &self.total else { return (None, Vec::new()) };
        let mut at_most = Vec::new();
        let mut sums: Vec<(&String, &Sum)> = self.sums.iter().collect();
        sums.sort_by_key(|(_, sum)| Reverse(sum.messages));
        sums.truncate(CURRENCIES);
        let mut shown = |(currency, sum): (&String, &Sum)| {
            let mut gifts: Vec<(&String, &Gift)> = sum.supporters.iter().collect();
            gifts.sort_by(|a, b| b.1.micros.cmp(&a.1.micros).then_with(|| a.0.cmp(b.0)));
            gifts.truncate(SUPPORTERS);
            at_most.extend(gifts.iter().map(|(id, gift)| AtMost {
                id: format!("{currency} {id}"),
                at_most: u64::try_from(gift.micros + sum.unlisted - gift.listed).unwrap_or_default(),
            }));
            let supporter = |(id, gift): (&String, &Gift)| Supporter {
                user_id: id.clone(),
                user_name: gift.name.clone(),
                micros: narrow(gift.micros),
            };
            let supporters = gifts.into_iter().map(supporter).collect();
            CurrencySum { currency: currency.clone(), micros: narrow(sum.micros), messages: sum.messages, supporters }
        };
        let sums = sums.into_iter().map(&mut shown).collect();
        (Some(Support { sums, ..total.clone() }), at_most)
    }
}

/// Sums beyond what a result can hold are the largest that it can hold.
fn narrow(micros: i128) -> i64 {
    i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
}
