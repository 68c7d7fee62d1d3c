//! Sums that limits look at, kept up to date with each change.

use std::{
    collections::{BTreeMap, HashMap},
    ops::AddAssign,
    sync::Arc,
};

use super::{
    super::Usage,
    limit::{Limit, Quantity, Tenants},
    time::minute,
    wire::{Body, EntryKey, Open},
};

/// Attempts and what they use. Signed, so that an amount can be taken away, and wide enough for any sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    calls: i128,
    tokens: i128,
    micros: i128,
}

impl Amounts {
    pub(super) fn new(calls: u64, usage: &Usage) -> Self {
        Self { calls: calls.into(), tokens: usage.tokens().into(), micros: usage.cost_micros.into() }
    }

    pub(super) fn get(&self, quantity: Quantity) -> i128 {
        match quantity {
            Quantity::Calls => self.calls,
            Quantity::Tokens => self.tokens,
            Quantity::Micros => self.micros,
        }
    }

    fn signed(self, sign: Sign) -> Self {
        match sign {
            Sign::Plus => self,
            Sign::Minus => Self { calls: -self.calls, tokens: -self.tokens, micros: -self.micros },
        }
    }
}

impl AddAssign for Amounts {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.tokens += other.tokens;
        self.micros += other.micros;
    }
}

/// Whether something comes or goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// The sums of one hour.
#[derive(Debug, Default)]
pub(super) struct HourSums {
    pub(super) settled: Amounts,
    /// Reservations by member.
    pub(super) open: BTreeMap<Arc<str>, Amounts>,
}

/// The sums of one scope. Amounts that are zero have no row.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) hours: BTreeMap<i64, HourSums>,
    /// By the minute since 1970 in which attempts started.
    pub(super) minutes: BTreeMap<i64, Amounts>,
}

impl Tally {
    fn settled(&mut self, hour: i64, amounts: Amounts) {
        let sums = self.hours.entry(hour).or_default();
        sums.settled += amounts;
        self.tidy(hour);
    }

    fn open(&mut self, hour: i64, member: &Arc<str>, amounts: Amounts) {
        let sums = self.hours.entry(hour).or_default();
        let open = sums.open.entry(member.clone()).or_default();
        *open += amounts;
        if *open == Amounts::default() {
            sums.open.remove(member);
        }
        self.tidy(hour);
    }

    fn rate(&mut self, minute: i64, amounts: Amounts) {
        let rate = self.minutes.entry(minute).or_default();
        *rate += amounts;
        if *rate == Amounts::default() {
            self.minutes.remove(&minute);
        }
    }

    fn tidy(&mut self, hour: i64) {
        if self.hours.get(&hour).is_some_and(|sums| sums.settled == Amounts::default() && sums.open.is_empty()) {
            self.hours.remove(&hour);
        }
    }
}

/// A tenant and a route, or all of them.
type Scope = (Option<Arc<str>>, Option<Arc<str>>);

/// The sums of all scopes that some limit looks at.
#[derive(Debug)]
pub(super) struct Totals {
    shapes: Vec<(bool, bool)>,
    scopes: HashMap<Scope, Tally>,
}

impl Totals {
    pub(super) fn new(limits: &[Limit]) -> Self {
        let mut shapes: Vec<_> = limits.iter().map(Limit::shape).collect();
        shapes.sort_unstable();
        shapes.dedup();
        Self { shapes, scopes: HashMap::new() }
    }

    /// The sums that a limit looks at when an attempt of this tenant at this route asks.
    pub(super) fn of(&self, limit: &Limit, tenant: &Arc<str>) -> Option<&Tally> {
        let tenant = (limit.tenants != Tenants::Together).then(|| tenant.clone());
        self.scopes.get(&(tenant, limit.route.clone()))
    }

    /// Adds a reservation or takes it away.
    pub(super) fn open(&mut self, key: &EntryKey, open: &Open, sign: Sign) {
        let amounts = Amounts::new(1, &open.most).signed(sign);
        self.each(key, |tally| {
            tally.open(key.hour, &key.member, amounts);
            tally.rate(minute(key.hour, open.minute), amounts);
        });
    }

    /// Adds what attempts used or takes it away.
    pub(super) fn settled(&mut self, key: &EntryKey, calls: u64, used: &Usage, sign: Sign) {
        let amounts = Amounts::new(calls, used).signed(sign);
        self.each(key, |tally| tally.settled(key.hour, amounts));
    }

    /// Adds what attempts used in a minute or takes it away.
    pub(super) fn rate(&mut self, key: &EntryKey, minute_of_hour: u8, calls: u64, tokens: u64, sign: Sign) {
        let tokens = Usage { input_tokens: tokens, ..Usage::default() };
        let amounts = Amounts::new(calls, &tokens).signed(sign);
        self.each(key, |tally| tally.rate(minute(key.hour, minute_of_hour), amounts));
    }

    /// Adds a whole entry or takes it away.
    pub(super) fn body(&mut self, key: &EntryKey, body: &Body, sign: Sign) {
        self.settled(key, body.calls, &body.used, sign);
        for rate in &body.minutes {
            self.rate(key, rate.0, rate.1, rate.2, sign);
        }
        for open in &body.open {
            self.open(key, open, sign);
        }
    }

    fn each(&mut self, key: &EntryKey, change: impl Fn(&mut Tally)) {
        for (by_tenant, by_route) in &self.shapes {
            let scope: Scope = (by_tenant.then(|| key.tenant.clone()), by_route.then(|| key.route.clone()));
            let tally = self.scopes.entry(scope.clone()).or_default();
            change(tally);
            if tally.hours.is_empty() && tally.minutes.is_empty() {
                self.scopes.remove(&scope);
            }
        }
    }
}
