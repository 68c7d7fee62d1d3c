//! What was spent, for metrics and pages.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{
    super::Usage,
    time::{DAY_HOURS, hour_of},
    wire::{EntryKey, Open},
};

/// What a tenant spent at a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spending {
    /// The tenant. Empty without tenants.
    pub tenant: String,
    /// The route's name.
    pub route: String,
    /// Attempts of the current hour, UTC.
    pub hour: Spent,
    /// Attempts of the current day, UTC.
    pub day: Spent,
}

/// The attempts of a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// Settled attempts.
    pub calls: u64,
    /// What settled attempts used.
    pub usage: Usage,
    /// Attempts that wait or run.
    pub open_calls: u64,
    /// The most that open attempts may use.
    pub open: Usage,
    /// Attempts of members that died. They may have been paid.
    pub unknown_calls: u64,
    /// The most that unknown attempts may have used.
    pub unknown: Usage,
}

/// Adds up entries of the current day.
pub(super) struct Sums {
    hour: i64,
    rows: BTreeMap<(Arc<str>, Arc<str>), (Spent, Spent)>,
}

impl Sums {
    pub(super) fn new(now_ms: i64) -> Self {
        Self { hour: hour_of(now_ms), rows: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, key: &EntryKey, calls: u64, used: Usage, open: &[Open], alive: bool) {
        if key.hour.div_euclid(DAY_HOURS) != self.hour.div_euclid(DAY_HOURS) {
            return;
        }
        let (hour, day) = self.rows.entry((key.tenant.clone(), key.route.clone())).or_default();
        day.add(calls, used, open, alive);
        if key.hour == self.hour {
            hour.add(calls, used, open, alive);
        }
    }

    pub(super) fn finish(self) -> Vec<Spending> {
        let rows = self.rows.into_iter();
        rows.map(|((tenant, route), (hour, day))| Spending {
            tenant: tenant.to_string(),
            route: route.to_string(),
            hour,
            day,
        })
        .collect()
    }
}

impl Spent {
    fn add(&mut self, calls: u64, used: Usage, open: &[Open], alive: bool) {
        self.calls = self.calls.saturating_add(calls);
        self.usage += used;
        let (count, sum) =
            if alive { (&mut self.open_calls, &mut self.open) } else { (&mut self.unknown_calls, &mut self.unknown) };
        *count = count.saturating_add(open.len() as u64);
        *sum += open.iter().map(|open| open.most).sum();
    }
}
