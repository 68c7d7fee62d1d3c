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
        if !fits_micros(*micros) {
            errors.push(FieldError::new("amount.micros", format!("is {micros}"), MICROS));
        }
        if !is_currency(currency) {
            errors.push(FieldError::new("amount.currency", format!("is {currency:?}"), CURRENCY));
        }
    }
}

fn fits_micros(micros: i64) -> bool {
    (1..=MICROS_MAX).contains(&micros)
}

fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase())
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
        for ((field, max), number) in NUMBERS.into_iter().zip([self.months, self.count]) {
            errors.extend(number.and_then(|number| out_of_range(field, number, max)));
        }
    }
}

/// The numbers of a membership, each with its largest value.
const NUMBERS: [(&str, u32); 2] = [("months", MONTHS_MAX), ("count", GIFTS_MAX)];

fn out_of_range(field: &str, number: u32, max: u32) -> Option<FieldError> {
    let fix = || format!("send a number from 1 to {max}");
    let error = || FieldError::new(format!("membership.{field}"), format!("is {number}"), fix());
    (!(1..=max).contains(&number)).then(error)
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
const KIND: &str = "send new, gift or milestone";
const MEMBERSHIP: &str = "send an object, such as {\"kind\": \"new\"}";

/// Whether a field is there. Null is an absent field.
pub(crate) fn has(object: &Map<String, Value>, field: &str) -> bool {
    !matches!(object.get(field), None | Some(Value::Null))
}

/// Adds an error for each wrong field of a message's amount and membership.
pub(crate) fn diagnose(message: &Map<String, Value>, errors: &mut Vec<FieldError>) {
    match message.get("amount") {
        None | Some(Value::Null) => {}
        Some(Value::Object(amount)) => diagnose_amount(amount, errors),
        Some(_) => errors.push(FieldError::new("amount", "is not an object", AMOUNT)),
    }
    match message.get("membership") {
        None | Some(Value::Null) => {}
        Some(Value::Object(membership)) => diagnose_membership(membership, errors),
        Some(_) => errors.push(FieldError::new("membership", "is not an object", MEMBERSHIP)),
    }
}

/// Looks at types and values, so that all wrong fields are told together.
fn diagnose_amount(amount: &Map<String, Value>, errors: &mut Vec<FieldError>) {
    let is_micros = |value: &Value| value.as_i64().is_some_and(fits_micros);
    let is_code = |value: &Value| value.as_str().is_some_and(is_currency);
    for (field, is_right, fix) in
        [("micros", &is_micros as &dyn Fn(&Value) -> bool, MICROS), ("currency", &is_code, CURRENCY)]
    {
        let problem = match amount.get(field) {
            Some(value) if is_right(value) => continue,
            Some(value) => format!("is {value}"),
            None => "is missing".to_owned(),
        };
        errors.push(FieldError::new(format!("amount.{field}"), problem, fix));
    }
}

fn diagnose_membership(membership: &Map<String, Value>, errors: &mut Vec<FieldError>) {
    if !has(membership, "kind") {
        errors.push(FieldError::new("membership.kind", "is missing", KIND));
    } else if MembershipKind::deserialize(&membership["kind"]).is_err() {
        errors.push(FieldError::new("membership.kind", "is unknown", KIND));
    }
    for (field, max) in NUMBERS.into_iter().filter(|(field, _)| has(membership, field)) {
        let value = &membership[field];
        match value.as_u64().and_then(|number| u32::try_from(number).ok()) {
            Some(number) => errors.extend(out_of_range(field, number, max)),
            None => {
                let field = format!("membership.{field}");
                errors.push(FieldError::new(field, format!("is {value}"), "send a whole number"));
            }
        }
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
