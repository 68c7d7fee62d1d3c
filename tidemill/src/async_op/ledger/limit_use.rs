//! How much of each limit is used, for metrics and pages.

use serde::Serialize;

use super::{
    Limit, Spending, Spent,
    limit::{Period, Quantity, Tenants},
};

/// A limit, and how much of it is used. See [`CallSnapshot::limits`](crate::CallSnapshot::limits).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitUse {
    /// The limit in words.
    pub limit: String,
    /// The tenant whose use it is; `None` for a limit of all tenants together.
    pub tenant: Option<String>,
    /// The limit's route; `None` for a limit of all routes together.
    pub route: Option<String>,
    /// What is counted: `calls`, `tokens` or `micros`.
    pub quantity: &'static str,
    /// When it is counted: `now`, `minute`, `hour` or `day`.
    pub period: &'static str,
    /// The limit's amount.
    pub most: u64,
    /// What counts now: what was used, and the most that open attempts may use. `None` for limits per minute, which
    /// are not summed up here.
    pub used: Option<u64>,
    /// How often this executor could not start an attempt, because the attempt alone may use more than the limit. Such
    /// calls are never made.
    pub never_fit: u64,
}

impl LimitUse {
    /// What is left; `None` for limits per minute.
    pub fn left(&self) -> Option<u64> {
        self.used.map(|used| self.most.saturating_sub(used))
    }

    /// The use of one limit: one value, or one for each tenant that has spent something today.
    pub(super) fn of(limit: &Limit, spending: &[Spending]) -> Vec<Self> {
        let tenants: Vec<Option<String>> = match &limit.tenants {
            Tenants::Together => vec![None],
            Tenants::One(name) => vec![Some(name.to_string())],
            Tenants::Each => {
                let mut tenants: Vec<_> = spending.iter().map(|row| Some(row.tenant.clone())).collect();
                tenants.sort_unstable();
                tenants.dedup();
                tenants
            }
        };
        let of_tenant = |tenant: Option<String>| {
            let is_counted = |row: &&Spending| {
                limit.covers(&row.tenant, &row.route) && tenant.as_ref().is_none_or(|tenant| *tenant == row.tenant)
            };
            let rows = || spending.iter().filter(is_counted);
            let used = match limit.period {
                Period::Minute => None,
                Period::Now => Some(sum(rows().map(|row| row.day.open_calls))),
                Period::Hour => Some(sum(rows().map(|row| amount(limit.quantity, &row.hour)))),
                Period::Day => Some(sum(rows().map(|row| amount(limit.quantity, &row.day)))),
            };
            let (quantity, period) = (limit.quantity.label(), limit.period.label());
            let route = limit.route.as_ref().map(ToString::to_string);
            Self { limit: limit.to_string(), tenant, route, quantity, period, most: limit.most, used, never_fit: 0 }
        };
        tenants.into_iter().map(of_tenant).collect()
    }
}

/// A sum that stops at the largest number: a provider may tell any usage, and the executor must survive it.
fn sum(amounts: impl Iterator<Item = u64>) -> u64 {
    amounts.fold(0, u64::saturating_add)
}

/// What counts against a limit: open attempts with the most that they may use.
fn amount(quantity: Quantity, spent: &Spent) -> u64 {
    match quantity {
        Quantity::Calls => sum([spent.calls, spent.open_calls, spent.unknown_calls].into_iter()),
        Quantity::Tokens | Quantity::Micros => quantity.of(&(spent.usage + spent.open + spent.unknown)),
    }
}

impl Quantity {
    const fn label(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Tokens => "tokens",
            Self::Micros => "micros",
        }
    }
}

impl Period {
    const fn label(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Usage;

    fn spent(tenant: &str, route: &str, micros: u64) -> Spending {
        let usage = |cost_micros| Usage { cost_micros, ..Usage::default() };
        let hour = Spent { calls: 1, usage: usage(micros), open_calls: 1, open: usage(10), ..Spent::default() };
        let day = Spent { unknown_calls: 2, unknown: usage(100), ..hour };
        Spending { tenant: tenant.to_owned(), route: route.to_owned(), hour, day }
    }

    #[test]
    fn open_and_unknown_attempts_count_and_each_tenant_has_its_own_rest() {
        let spending = [spent("ann", "large", 1_000), spent("ann", "small", 5), spent("bob", "large", 300)];
        let left = |limit: Limit| -> Vec<_> {
            LimitUse::of(&limit, &spending).into_iter().map(|used| (used.tenant.clone(), used.left())).collect()
        };
        let (ann, bob) = (Some("ann".to_owned()), Some("bob".to_owned()));
        assert_eq!(left(Limit::micros_per_hour(2_000)), [(None, Some(2_000 - 1_335))]);
        assert_eq!(left(Limit::micros_per_day(2_000).of_route("large")), [(None, Some(2_000 - 1_520))]);
        let each = [(ann.clone(), Some(0)), (bob, Some(190))];
        assert_eq!(left(Limit::micros_per_hour(500).for_each_tenant()), each);
        assert_eq!(left(Limit::calls_per_day(10).of_tenant("ann")), [(ann, Some(2))]);
        assert_eq!(left(Limit::in_flight(8)), [(None, Some(5))]);
        assert_eq!(left(Limit::calls_per_minute(8)), [(None, None)]);
    }

    #[test]
    fn sums_of_absurd_usages_stop_at_the_largest_number() {
        let spending = [spent("ann", "large", u64::MAX), spent("bob", "large", u64::MAX)];
        for limit in [Limit::micros_per_hour(2_000), Limit::micros_per_day(2_000)] {
            let used = LimitUse::of(&limit, &spending);
            assert_eq!(
                used.iter().map(|used| (used.used, used.left())).collect::<Vec<_>>(),
                [(Some(u64::MAX), Some(0))]
            );
        }
    }
}
