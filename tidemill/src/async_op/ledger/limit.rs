//! What a user allows: calls in flight, calls, tokens and money per period.

use std::{fmt, sync::Arc};

use super::super::Usage;

/// A limit that all instances of the application keep together. If a call has several limits, all of them hold.
///
/// Calls in flight never exceed their limit, whatever the number of instances. An instance that was silent for a minute
/// counts as dead, and so do its calls. The tokens and the money of a period exceed their limit only by what single
/// attempts use beyond the most that was noted for them before they started. If an instance dies, its running attempts
/// count with that most, because they may have been paid. Hours and days are those of UTC. A minute is the last 60
/// seconds, with the first of two calendar minutes weighted by its remaining part.
///
/// ```
/// use tidemill::Limit;
///
/// let limits = [
///     // At most 8 calls at a time, and 3 of them for one tenant.
///     Limit::in_flight(8),
///     Limit::in_flight(3).for_each_tenant(),
///     // What the provider allows for a model.
///     Limit::calls_per_minute(60).of_route("large-model"),
///     Limit::tokens_per_minute(100_000).of_route("large-model"),
///     // At most 20 dollars a day for all, and at most 5 for Ann.
///     Limit::micros_per_day(20_000_000),
///     Limit::micros_per_day(5_000_000).of_tenant("ann"),
/// ];
/// assert_eq!(limits[1].to_string(), "at most 3 calls in flight for each tenant");
/// assert_eq!(limits[2].to_string(), "at most 60 calls per minute on the route large-model");
/// assert_eq!(limits[5].to_string(), "at most 5000000 micros per day for the tenant ann");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limit {
    pub(super) quantity: Quantity,
    pub(super) period: Period,
    pub(super) tenants: Tenants,
    pub(super) route: Option<Arc<str>>,
    pub(super) most: u64,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Quantity {
    Calls,
    Tokens,
    Micros,
}

/// When it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Period {
    Now,
    Minute,
    Hour,
    Day,
}

/// For whom it is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Tenants {
    Together,
    Each,
    One(Arc<str>),
}

impl Limit {
    const fn new(quantity: Quantity, period: Period, most: u64) -> Self {
        Self { quantity, period, tenants: Tenants::Together, route: None, most }
    }

    /// Limits the attempts that run at the same time. See the example of [`Limit`].
    pub const fn in_flight(most: u64) -> Self {
        Self::new(Quantity::Calls, Period::Now, most)
    }

    /// Limits the attempts that start in a minute. See the example of [`Limit`].
    pub const fn calls_per_minute(most: u64) -> Self {
        Self::new(Quantity::Calls, Period::Minute, most)
    }

    /// Limits the attempts that start in an hour. See the example of [`Limit`].
    pub const fn calls_per_hour(most: u64) -> Self {
        Self::new(Quantity::Calls, Period::Hour, most)
    }

    /// Limits the attempts that start on a day. See the example of [`Limit`].
    pub const fn calls_per_day(most: u64) -> Self {
        Self::new(Quantity::Calls, Period::Day, most)
    }

    /// Limits the tokens, sent and received, of the attempts that start in a minute. See the example of [`Limit`].
    pub const fn tokens_per_minute(most: u64) -> Self {
        Self::new(Quantity::Tokens, Period::Minute, most)
    }

    /// Limits the tokens, sent and received, of the attempts that start in an hour. See the example of [`Limit`].
    pub const fn tokens_per_hour(most: u64) -> Self {
        Self::new(Quantity::Tokens, Period::Hour, most)
    }

    /// Limits the tokens, sent and received, of the attempts that start on a day. See the example of [`Limit`].
    pub const fn tokens_per_day(most: u64) -> Self {
        Self::new(Quantity::Tokens, Period::Day, most)
    }

    /// Limits the cost, in micros, of the attempts that start in an hour. See the example of [`Limit`].
    pub const fn micros_per_hour(most: u64) -> Self {
        Self::new(Quantity::Micros, Period::Hour, most)
    }

    /// Limits the cost, in micros, of the attempts that start on a day. See the example of [`Limit`].
    pub const fn micros_per_day(most: u64) -> Self {
        Self::new(Quantity::Micros, Period::Day, most)
    }

    /// Counts each tenant by itself. Without this, a limit counts all tenants together. See the example of [`Limit`].
    #[must_use]
    pub fn for_each_tenant(self) -> Self {
        Self { tenants: Tenants::Each, ..self }
    }

    /// Counts one tenant only. See the example of [`Limit`].
    #[must_use]
    pub fn of_tenant(self, name: impl Into<Arc<str>>) -> Self {
        Self { tenants: Tenants::One(name.into()), ..self }
    }

    /// Counts one route only. Without this, a limit counts all routes together. See the example of [`Limit`].
    #[must_use]
    pub fn of_route(self, name: impl Into<Arc<str>>) -> Self {
        Self { route: Some(name.into()), ..self }
    }

    /// Whether it is a budget in money, which means nothing without prices.
    ///
    /// ```
    /// assert!(tidemill::Limit::micros_per_day(5_000_000).is_of_money());
    /// assert!(!tidemill::Limit::tokens_per_day(5_000_000).is_of_money());
    /// ```
    pub const fn is_of_money(&self) -> bool {
        matches!(self.quantity, Quantity::Micros)
    }

    /// Whether one attempt fits into the limit that may use so much, if nothing else is used.
    ///
    /// ```
    /// use tidemill::{Limit, Usage};
    ///
    /// let most = Usage { input_tokens: 900, output_tokens: 200, cost_micros: 770 };
    /// assert!(Limit::micros_per_day(770).fits(&most));
    /// assert!(!Limit::tokens_per_hour(1_000).fits(&most), "no attempt like this would ever start");
    /// assert_eq!(Limit::tokens_per_hour(1_000).counts(&most), 1_100);
    /// ```
    pub fn fits(&self, most: &Usage) -> bool {
        self.quantity.of(most) <= self.most
    }

    /// What an attempt that may use so much counts for this limit: calls, tokens or micros. See the example of
    /// [`Limit::fits`].
    pub fn counts(&self, most: &Usage) -> u64 {
        self.quantity.of(most)
    }

    /// Whether the limit leaves room again within a minute.
    pub(in crate::async_op) const fn passes_soon(&self) -> bool {
        matches!(self.period, Period::Now | Period::Minute)
    }

    /// Whether the limit is one of single tenants, so that others need not wait for it.
    pub(in crate::async_op) const fn is_for_tenants(&self) -> bool {
        !matches!(self.tenants, Tenants::Together)
    }

    /// Whether an attempt counts for this limit.
    pub(super) fn covers(&self, tenant: &str, route: &str) -> bool {
        let tenant = match &self.tenants {
            Tenants::Together | Tenants::Each => true,
            Tenants::One(name) => **name == *tenant,
        };
        tenant && self.route.as_ref().is_none_or(|name| **name == *route)
    }

    /// Whether sums are kept by tenant, and whether by route.
    pub(super) fn shape(&self) -> (bool, bool) {
        (self.tenants != Tenants::Together, self.route.is_some())
    }
}

impl Quantity {
    /// What one attempt counts.
    pub(super) fn of(self, most: &Usage) -> u64 {
        match self {
            Self::Calls => 1,
            Self::Tokens => most.tokens(),
            Self::Micros => most.cost_micros,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantity = match self.quantity {
            Quantity::Calls => "calls",
            Quantity::Tokens => "tokens",
            Quantity::Micros => "micros",
        };
        let period = match self.period {
            Period::Now => "in flight",
            Period::Minute => "per minute",
            Period::Hour => "per hour",
            Period::Day => "per day",
        };
        write!(out, "at most {} {quantity} {period}", self.most)?;
        match &self.tenants {
            Tenants::Together => {}
            Tenants::Each => out.write_str(" for each tenant")?,
            Tenants::One(name) => write!(out, " for the tenant {name}")?,
        }
        self.route.as_ref().map_or(Ok(()), |name| write!(out, " on the route {name}"))
    }
}
