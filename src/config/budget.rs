//! Limits and budgets of calls to models.

use tidemill::{Limit, WhenExhausted};
use tidemill_apps::setting::{Row, amount, number};

/// The limits, as given. Zero means no limit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    pub(super) in_flight: u64,
    calls_per_minute: u64,
    tokens_per_minute: u64,
    tokens_per_hour: u64,
    tokens_per_day: u64,
    money_per_hour: u64,
    money_per_day: u64,
    each: Shares,
    pub(super) when_exhausted: WhenExhausted,
}

/// The limits of each tenant.
#[derive(Debug, Clone, Copy, Default)]
struct Shares {
    in_flight: u64,
    tokens_per_hour: u64,
    tokens_per_day: u64,
    money_per_hour: u64,
    money_per_day: u64,
}

type Setting = Row<Budget>;

const WHEN: &[(&str, WhenExhausted)] =
    &[("offline", WhenExhausted::Fallback), ("wait", WhenExhausted::Wait), ("drop", WhenExhausted::Drop)];

pub(super) fn rows() -> Vec<Setting> {
    vec![
        Setting::new("analyst.in_flight", "16", number, |b| &mut b.in_flight)
            .help("Maximum number of calls at the same time, of all instances of an application together"),
        Setting::new("analyst.calls_per_minute", "0", number, |b| &mut b.calls_per_minute)
            .help("Maximum number of calls per minute, likewise; 0 for any number"),
        Setting::new("analyst.tokens_per_minute", "0", number, |b| &mut b.tokens_per_minute)
            .help("Maximum number of tokens per minute, of requests and answers; 0 for any number"),
        Setting::new("analyst.tokens_per_hour", "0", number, |b| &mut b.tokens_per_hour)
            .help("Budget of each application in tokens per hour (UTC); 0 for no budget"),
        Setting::new("analyst.tokens_per_day", "0", number, |b| &mut b.tokens_per_day)
            .help("Budget of each application in tokens per day (UTC); 0 for no budget"),
        Setting::new("analyst.money_per_hour", "0", amount, |b| &mut b.money_per_hour).help(
            "Budget of each application in money per hour, such as 2.50; it needs 'analyst.price'; 0 for no budget",
        ),
        Setting::new("analyst.money_per_day", "0", amount, |b| &mut b.money_per_day)
            .help("Budget of each application in money per day, likewise"),
        Setting::new("analyst.tenant_in_flight", "0", number, |b| &mut b.each.in_flight)
            .help("Maximum number of calls at the same time for each tenant; 0 for any number"),
        Setting::new("analyst.tenant_tokens_per_hour", "0", number, |b| &mut b.each.tokens_per_hour)
            .help("Budget of each tenant in tokens per hour; 0 for no budget"),
        Setting::new("analyst.tenant_tokens_per_day", "0", number, |b| &mut b.each.tokens_per_day)
            .help("Budget of each tenant in tokens per day; 0 for no budget"),
        Setting::new("analyst.tenant_money_per_hour", "0", amount, |b| &mut b.each.money_per_hour)
            .help("Budget of each tenant in money per hour; 0 for no budget"),
        Setting::new("analyst.tenant_money_per_day", "0", amount, |b| &mut b.each.money_per_day)
            .help("Budget of each tenant in money per day; 0 for no budget"),
        Setting::choice("analyst.when_exhausted", "offline", WHEN, |b| &mut b.when_exhausted)
            .help("What happens to a window when a budget is exhausted: offline result, wait, or no result"),
    ]
}

impl Budget {
    /// The limits, each with the setting that gives it.
    pub(super) fn limits(&self) -> Vec<(&'static str, Limit)> {
        let each = self.each;
        let all = [
            ("analyst.in_flight", Limit::in_flight as fn(u64) -> Limit, self.in_flight),
            ("analyst.calls_per_minute", Limit::calls_per_minute, self.calls_per_minute),
            ("analyst.tokens_per_minute", Limit::tokens_per_minute, self.tokens_per_minute),
            ("analyst.tokens_per_hour", Limit::tokens_per_hour, self.tokens_per_hour),
            ("analyst.tokens_per_day", Limit::tokens_per_day, self.tokens_per_day),
            ("analyst.money_per_hour", Limit::micros_per_hour, self.money_per_hour),
            ("analyst.money_per_day", Limit::micros_per_day, self.money_per_day),
        ];
        let tenants = [
            ("analyst.tenant_in_flight", Limit::in_flight as fn(u64) -> Limit, each.in_flight),
            ("analyst.tenant_tokens_per_hour", Limit::tokens_per_hour, each.tokens_per_hour),
            ("analyst.tenant_tokens_per_day", Limit::tokens_per_day, each.tokens_per_day),
            ("analyst.tenant_money_per_hour", Limit::micros_per_hour, each.money_per_hour),
            ("analyst.tenant_money_per_day", Limit::micros_per_day, each.money_per_day),
        ];
        let set = |(_, _, most): &(&'static str, fn(u64) -> Limit, u64)| *most > 0;
        let all = all.into_iter().filter(set).map(|(setting, limit, most)| (setting, limit(most)));
        let tenants = tenants.into_iter().filter(set);
        all.chain(tenants.map(|(setting, limit, most)| (setting, limit(most).for_each_tenant()))).collect()
    }

    /// Whether some budget is in money.
    pub(super) fn needs_prices(&self) -> bool {
        let Self { money_per_hour, money_per_day, each, .. } = self;
        [*money_per_hour, *money_per_day, each.money_per_hour, each.money_per_day].iter().any(|most| *most > 0)
    }
}
