//! The fields of answers: of which kind they are, and how much two values of a field agree.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

/// How a field's values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// A word of a fixed list: equal or not.
    Label,
    /// Numbers agree if they differ by at most a share of their range.
    Number,
    /// Lists agree as far as they have the same items.
    List,
    /// Free texts agree as far as they have the same words.
    Text,
}

/// A field of the answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The difference that counts as agreement, of a number.
    pub(super) tolerance: f64,
    /// The largest difference that is possible, of a number.
    range: f64,
}

impl Field {
    /// A field by its name, its schema in the prompt, and any value of it. `tolerance` is a share of a number's range.
    pub(super) fn new(name: &str, schema: Option<&Value>, value: &Value, tolerance: f64) -> Self {
        let schema = schema.map(|schema| &schema["properties"][name]);
        let word = |schema: &Value| schema["enum"].is_array() || schema["type"] == "boolean";
        let kind = match value {
            Value::Array(_) => Kind::List,
            Value::Number(_) => Kind::Number,
            Value::String(_) if !schema.is_some_and(word) => Kind::Text,
            _ => Kind::Label,
        };
        let bound = |bound: &str| schema.and_then(|schema| schema[bound].as_f64());
        let range = bound("maximum").zip(bound("minimum")).map_or(1.0, |(most, least)| most - least);
        let range = if range > 0.0 { range } else { 1.0 };
        Self { name: name.to_owned(), kind, tolerance: tolerance * range, range }
    }

    /// How much two values agree, from 0 to 1.
    pub(super) fn agreement(&self, one: &Value, other: &Value) -> f64 {
        match self.kind {
            Kind::Label => f64::from(one == other),
            Kind::Number => match (one.as_f64(), other.as_f64()) {
                // Decimals such as 0.1 are not exact.
                (Some(one), Some(other)) => f64::from((one - other).abs() <= self.tolerance + 1e-6),
                (one, other) => f64::from(one == other),
            },
            Kind::List => common(&items(one), &items(other)),
            Kind::Text => common(&words(one), &words(other)),
        }
    }

    /// How far two values are from each other, from 0 to 1. Unlike the agreement, it tells large differences of numbers
    /// from small ones.
    pub(super) fn distance(&self, one: &Value, other: &Value) -> f64 {
        match self.difference(one, other) {
            Some(difference) => (difference / self.range).min(1.0),
            None => 1.0 - self.agreement(one, other),
        }
    }

    /// The difference of two numbers.
    pub(super) fn difference(&self, one: &Value, other: &Value) -> Option<f64> {
        (self.kind == Kind::Number).then(|| Some((one.as_f64()? - other.as_f64()?).abs())).flatten()
    }
}

/// The share of what two sets have in common.
fn common(one: &BTreeSet<String>, other: &BTreeSet<String>) -> f64 {
    let all = one.union(other).count();
    if all == 0 { 1.0 } else { one.intersection(other).count() as f64 / all as f64 }
}

fn items(list: &Value) -> BTreeSet<String> {
    let text = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_lowercase);
    list.as_array().into_iter().flatten().map(text).collect()
}

fn words(text: &Value) -> BTreeSet<String> {
    let text = text.as_str().unwrap_or_default().to_lowercase();
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "these shares are exact")]

    use serde_json::json;

    use super::*;

    fn field(name: &str, value: &Value) -> Field {
        let schema = json!({ "properties": {
            "mood": { "type": "string", "enum": ["calm", "happy"] },
            "score": { "type": "integer", "minimum": 0, "maximum": 100 },
            "advice": { "type": "string" },
        }});
        Field::new(name, Some(&schema), value, 0.1)
    }

    #[test]
    fn labels_are_equal_or_not_and_texts_share_words() {
        let (mood, advice) = (field("mood", &json!("calm")), field("advice", &json!("Ask a question.")));
        assert_eq!((mood.kind, advice.kind), (Kind::Label, Kind::Text));
        assert_eq!(mood.agreement(&json!("calm"), &json!("happy")), 0.0);
        assert_eq!(advice.agreement(&json!("Ask a question."), &json!("ask: a QUESTION")), 1.0);
        assert_eq!(advice.agreement(&json!("ask a question"), &json!("tell a joke")), 0.2);
    }

    #[test]
    fn numbers_agree_within_a_share_of_their_range() {
        let score = field("score", &json!(50));
        assert_eq!((score.kind, score.tolerance), (Kind::Number, 10.0));
        assert_eq!((score.agreement(&json!(50), &json!(60)), score.agreement(&json!(50), &json!(61))), (1.0, 0.0));
        assert_eq!((score.distance(&json!(50), &json!(75)), score.difference(&json!(1), &json!(4))), (0.25, Some(3.0)));
        assert_eq!((score.agreement(&json!(5), &Value::Null), score.distance(&json!(5), &Value::Null)), (0.0, 1.0));
        assert_eq!(score.agreement(&Value::Null, &Value::Null), 1.0);
    }

    #[test]
    fn lists_agree_as_far_as_they_have_the_same_items_in_any_order() {
        let topics = field("topics", &json!([]));
        assert_eq!(topics.agreement(&json!(["Boss", "music"]), &json!(["music", "boss"])), 1.0);
        assert_eq!(topics.agreement(&json!(["boss"]), &json!(["boss", "music"])), 0.5);
        assert_eq!(topics.agreement(&json!([]), &json!([])), 1.0);
    }
}
