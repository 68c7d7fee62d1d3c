//! The agreement of two sides, field by field.

use serde::Serialize;
use serde_json::Value;

use super::field::{Field, Kind};

/// How much the answers agree in one field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldAgreement {
    /// The field's name.
    pub field: String,
    /// How its values are compared.
    pub(super) kind: Kind,
    /// The mean agreement, from 0 to 1: equal labels, numbers within the tolerance, common items, common words.
    pub agreement: f64,
    /// The difference that counts as agreement, of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// The mean difference of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_difference: Option<f64>,
    /// The largest difference of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_difference: Option<f64>,
}

/// The fields of some answers, in the order of the first answer that has them.
pub(super) fn fields<'a>(
    answers: impl Iterator<Item = &'a Value>,
    schema: Option<&Value>,
    tolerance: f64,
) -> Vec<Field> {
    let mut fields = Vec::<Field>::new();
    for (name, value) in answers.filter_map(Value::as_object).flatten() {
        if !value.is_null() && fields.iter().all(|field| field.name != *name) {
            fields.push(Field::new(name, schema, value, tolerance));
        }
    }
    fields
}

/// The agreement of pairs of answers in a field.
pub(super) fn of_field(field: &Field, pairs: &[(&Value, &Value)]) -> FieldAgreement {
    let values = || pairs.iter().map(|(one, other)| (&one[&field.name], &other[&field.name]));
    let mean = |sum: f64, count: usize| if count == 0 { 0.0 } else { sum / count as f64 };
    let agreement = mean(values().map(|(one, other)| field.agreement(one, other)).sum(), pairs.len());
    let differences: Vec<f64> = values().filter_map(|(one, other)| field.difference(one, other)).collect();
    let is_number = field.kind == Kind::Number;
    FieldAgreement {
        field: field.name.clone(),
        kind: field.kind,
        agreement,
        tolerance: is_number.then_some(field.tolerance),
        mean_difference: is_number.then(|| mean(differences.iter().sum(), differences.len())),
        largest_difference: is_number.then(|| differences.iter().copied().fold(0.0, f64::max)),
    }
}

/// The mean agreement of all fields but free texts: two good sentences may have no word in common. Without other fields,
/// the texts count.
pub(super) fn overall(fields: &[FieldAgreement]) -> Option<f64> {
    let mean = |of: Vec<f64>| (!of.is_empty()).then(|| of.iter().sum::<f64>() / of.len() as f64);
    let agreements =
        |is: fn(Kind) -> bool| fields.iter().filter(move |of| is(of.kind)).map(|of| of.agreement).collect();
    mean(agreements(|kind| kind != Kind::Text)).or_else(|| mean(agreements(|_| true)))
}

/// How far two answers are from each other, from 0 to 1: the mean of all fields.
pub(super) fn distance(fields: &[Field], one: &Value, other: &Value) -> f64 {
    let distances = fields.iter().map(|field| field.distance(&one[&field.name], &other[&field.name]));
    distances.sum::<f64>() / fields.len().max(1) as f64
}
