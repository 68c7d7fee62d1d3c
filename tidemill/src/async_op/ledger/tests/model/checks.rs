//! What must hold, computed from the attempts and the log without the ledger's code.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{
    super::super::{
        Limit, Spending,
        limit::{Period, Quantity, Tenants},
    },
    simulation::{Attempt, Fate, Simulation},
};
use crate::async_op::Usage;

fn quantity(limit: &Limit, usage: &Usage) -> u64 {
    match limit.quantity {
        Quantity::Calls => 1,
        Quantity::Tokens => usage.input_tokens + usage.output_tokens,
        Quantity::Micros => usage.cost_micros,
    }
}

fn usage(row: &[Value]) -> Usage {
    let number = |place: usize| row[place].as_u64().expect("a number");
    Usage { input_tokens: number(0), output_tokens: number(1), cost_micros: number(2) }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl Simulation {
    /// No limit is exceeded, but for what attempts used beyond their reservation.
    pub(super) fn check_limits(&self) {
        for limit in &self.limits {
            let mut sums: HashMap<(&str, i64), u64> = HashMap::new();
            for attempt in self.attempts.iter().filter(|attempt| is_covered(limit, attempt)) {
                let Some((_, hour, minute)) = &attempt.place else { continue };
                let period = match limit.period {
                    Period::Now => 0,
                    Period::Minute => hour * 60 + minute,
                    Period::Hour => *hour,
                    Period::Day => hour / 24,
                };
                let amount = match attempt.fate {
                    Fate::Running if limit.period == Period::Now && attempt.silent => continue,
                    Fate::Running => quantity(limit, &attempt.most),
                    Fate::Settled(_) if limit.period == Period::Now => continue,
                    Fate::Settled(used) => quantity(limit, &used).min(quantity(limit, &attempt.most)),
                    Fate::Asked | Fate::Refused | Fate::Withdrawn => continue,
                };
                let group = if limit.tenants == Tenants::Each { attempt.tenant } else { "" };
                *sums.entry((group, period)).or_default() += amount;
            }
            for (group, sum) in sums {
                assert!(sum <= limit.most, "{limit}: {sum} for {group:?} in {:#?}", self.attempts);
            }
        }
    }

    /// Each entry of the log holds what was used by the attempts that it no longer lists, and it lists those that run.
    pub(super) fn check_log(&self) {
        let mut attempts: HashMap<&[u8], Vec<(u64, &Attempt)>> = HashMap::new();
        for (id, attempt) in self.attempts.iter().enumerate() {
            if let Some((key, hour, _)) = &attempt.place
                && *hour > self.now_ms / 3_600_000 - 48
            {
                attempts.entry(key).or_default().push((id as u64, attempt));
            }
        }
        for (key, attempts) in attempts {
            let body = &self.latest[key];
            let open: HashSet<u64> = list(&body["o"]).iter().filter_map(|row| row[0].as_u64()).collect();
            let (mut calls, mut used) = (0, Usage::default());
            for (id, attempt) in attempts {
                match attempt.fate {
                    Fate::Settled(usage) if !open.contains(&id) => {
                        calls += 1;
                        used += usage;
                    }
                    Fate::Running => assert!(open.contains(&id), "{attempt:?} runs unnoted: {body}"),
                    _ => {}
                }
            }
            assert_eq!((body["n"].as_u64(), usage(list(&body["u"]))), (Some(calls), used), "{body}");
        }
    }

    /// No reservation of a living process is left.
    pub(super) fn check_rest(&self, living: &HashSet<String>) {
        for (key, body) in &self.latest {
            let key: Value = serde_json::from_slice(key).expect("JSON");
            if key[0].as_str().is_some_and(|member| living.contains(member)) {
                assert!(list(&body["o"]).is_empty(), "{key}: {body}");
            }
        }
    }

    /// The spending of the current day is what the attempts used, and the reservations that dead processes left.
    pub(super) fn check_truth(&self, spending: &[Spending]) {
        let day = self.now_ms / 86_400_000;
        let mut open: HashMap<u64, Usage> = HashMap::new();
        for (key, body) in &self.latest {
            let key: Value = serde_json::from_slice(key).expect("JSON");
            if key[3].as_i64().is_some_and(|hour| hour / 24 == day) {
                let rows = list(&body["o"]).iter().map(|row| (row[0].as_u64().expect("an id"), usage(&list(row)[2..])));
                open.extend(rows);
            }
        }
        let (mut settled, mut used) = (0, Usage::default());
        for (id, attempt) in self.attempts.iter().enumerate() {
            if attempt.place.as_ref().is_none_or(|(_, hour, _)| hour / 24 != day) || open.contains_key(&(id as u64)) {
                continue;
            }
            match attempt.fate {
                Fate::Settled(usage) => {
                    settled += 1;
                    used += usage;
                }
                fate => assert_ne!(fate, Fate::Running, "{attempt:?} is forgotten"),
            }
        }
        let sum = |of: fn(&Spending) -> u64| spending.iter().map(of).sum::<u64>();
        assert_eq!(sum(|it| it.day.calls), settled);
        assert_eq!(spending.iter().map(|it| it.day.usage).sum::<Usage>(), used);
        assert_eq!(sum(|it| it.day.unknown_calls), open.len() as u64);
        assert_eq!(spending.iter().map(|it| it.day.unknown).sum::<Usage>(), open.into_values().sum());
        assert_eq!(sum(|it| it.day.open_calls), 0);
    }
}

fn is_covered(limit: &Limit, attempt: &Attempt) -> bool {
    let tenant = match &limit.tenants {
        Tenants::One(name) => **name == *attempt.tenant,
        Tenants::Together | Tenants::Each => true,
    };
    tenant && limit.route.as_ref().is_none_or(|route| **route == *attempt.route)
}
