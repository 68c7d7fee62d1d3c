//! Support of a stream by its viewers: what one message pays or joins, and the support of a whole window.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{common::FieldError, count};

/// The largest amount of one message, in millionths of a unit: a billion units.
const MICROS_MAX: i64 = 1_000_000_000_000_000;
const MONTHS_MAX: u32 = 1_200;
const GIFTS_MAX: u32 = 10_000;

/// Money that a message carries, such as a Super Chat. For Twitch's Bits, send what they are worth: a Bit is 10000
/// micros in `USD`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Millionths of a unit of the currency: 4.99 EUR are 4990000.
    pub micros: i64,
    /// ISO 4217 code of the currency, such as `EUR`.
    pub currency: String,
}

impl Amount {
    pub(crate) fn check(&self, errors: &mut Vec<FieldError>) {
        let Self { micros, currency } = self;
        if !(1..=MICROS_MAX).contains(micros) {
            errors.push(FieldError::new("amount.micros", format!("is {micros}"), MICROS));
        }
        if currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_uppercase()) {
            errors.push(FieldError::new("amount.currency", format!("is {currency:?}"), CURRENCY));
        }
    }
}

/// A membership or subscription that a message is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Kind of the membership.
    pub kind: MembershipKind,
    /// For a milestone: how many months the author has been a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months: Option<u32>,
    /// For a gift: how many memberships the author gives; one if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Membership {
    pub(crate) fn check(&self, errors: &mut Vec<FieldError>) {
        let mut check = |field: &str, number: Option<u32>, max: u32| {
            if let Some(number) = number.filter(|number| !(1..=max).contains(number)) {
                errors.push(FieldError::new(field, format!("is {number}"), format!("send a number from 1 to {max}")));
            }
        };
        check("membership.months", self.months, MONTHS_MAX);
        check("membership.count", self.count, GIFTS_MAX);
    }
}

/// Kinds of memberships.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembershipKind {
    /// The author became a member.
    New,
    /// The author gives memberships to others.
    Gift,
    /// The author has been a member for some months.
    Milestone,
}

const AMOUNT: &str = "send an object, such as {\"micros\": 4990000, \"currency\": \"EUR\"}";
const MICROS: &str = "send millionths of a unit, as a whole number from 1 to 10^15: 4.99 EUR are 4990000";
const CURRENCY: &str = "send the ISO 4217 code of three capital letters, such as EUR";
const MEMBERSHIP: &str = "send an object, such as {\"kind\": \"new\"}";

/// Whether a field is there. Null is an absent field.
pub(crate) fn has(object: &Map<String, Value>, field: &str) -> bool {
    !matches!(object.get(field), None | Some(Value::Null))
}

/// Adds an error for each wrong field of a message's amount and membership.
pub(crate) fn diagnose(message: &Map<String, Value>, errors: &mut Vec<FieldError>) {
    let mut refuse = |field: &str, problem: String, fix: &str| errors.push(FieldError::new(field, problem, fix));
    match message.get("amount") {
        None | Some(Value::Null) => {}
        Some(Value::Object(amount)) => {
            match amount.get("micros") {
                None => refuse("amount.micros", "is missing".into(), MICROS),
                Some(Value::Number(number)) if number.is_i64() => {}
                Some(other) => refuse("amount.micros", format!("is {other}"), MICROS),
            }
            match amount.get("currency") {
                None => refuse("amount.currency", "is missing".into(), CURRENCY),
                Some(Value::String(_)) => {}
                Some(other) => refuse("amount.currency", format!("is {other}"), CURRENCY),
            }
        }
        Some(_) => refuse("amount", "is not an object".into(), AMOUNT),
    }
    match message.get("membership") {
        None | Some(Value::Null) => {}
        Some(Value::Object(membership)) => {
            if membership.get("kind").is_none_or(|kind| MembershipKind::deserialize(kind).is_err()) {
                refuse("membership.kind", "is unknown".into(), "send new, gift or milestone");
            }
            for field in ["months", "count"].into_iter().filter(|field| has(membership, field)) {
                if membership[field].as_u64().is_none_or(|number| u32::try_from(number).is_err()) {
                    let problem = format!("is {}", membership[field]);
                    refuse(&format!("membership.{field}"), problem, "send a whole number");
                }
            }
        }
        Some(_) => refuse("membership", "is not an object".into(), MEMBERSHIP),
    }
}

/// The support of a window.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Support {
    /// Messages that carry an amount.
    #[serde(with = "count")]
    pub paid: u64,
    /// Sums by currency, the currency with the most messages first.
    pub sums: Vec<CurrencySum>,
    /// Authors who became members.
    #[serde(with = "count")]
    pub new_members: u64,
    /// Memberships that authors gave to others.
    #[serde(with = "count")]
    pub gifted_members: u64,
    /// Milestones of members.
    #[serde(with = "count")]
    pub milestones: u64,
}

/// The amounts of a window in one currency. Amounts in different currencies are never added or compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrencySum {
    /// ISO 4217 code.
    pub currency: String,
    /// The sum, in millionths of a unit.
    pub micros: i64,
    /// Messages with an amount in this currency.
    #[serde(with = "count")]
    pub messages: u64,
    /// The authors who gave most in this currency, the largest sum first.
    pub supporters: Vec<Supporter>,
}

/// An author who gave an amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supporter {
    /// The author's id.
    pub user_id: String,
    /// The author's name.
    pub user_name: String,
    /// The author's sum in this currency, in millionths of a unit.
    pub micros: i64,
}
