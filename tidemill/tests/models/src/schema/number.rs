//! Numbers within their bounds.

use serde_json::{Number, Value, json};

use crate::draw::Draw;

/// The width of a range that is open on one side.
const WIDTH: f64 = 100.0;

fn bound(schema: &Value, word: &str) -> Option<f64> {
    schema.get(word)?.as_f64()
}

/// The least and the most, without what `exclusive…` excludes: that is for the callers.
fn bounds(schema: &Value) -> (f64, f64) {
    let starts = [bound(schema, "minimum"), bound(schema, "exclusiveMinimum")];
    let least = starts.into_iter().flatten().reduce(f64::max);
    let ends = [bound(schema, "maximum"), bound(schema, "exclusiveMaximum")];
    let most = ends.into_iter().flatten().reduce(f64::min);
    match (least, most) {
        (Some(least), Some(most)) => (least, most),
        (Some(least), None) => (least, least + WIDTH),
        (None, Some(most)) => (if most >= 0.0 { (most - WIDTH).max(0.0) } else { most - WIDTH }, most),
        (None, None) => (0.0, WIDTH),
    }
}

/// Whether the place is one that `exclusiveMinimum` or `exclusiveMaximum` excludes.
fn excluded(schema: &Value, place: f64) -> bool {
    bound(schema, "exclusiveMinimum").is_some_and(|least| place <= least)
        || bound(schema, "exclusiveMaximum").is_some_and(|most| place >= most)
}

pub(super) fn integer(schema: &Value, draw: &mut Draw) -> Value {
    let step = bound(schema, "multipleOf").map_or(1.0, |step| step.max(1.0));
    let (least, most) = bounds(schema);
    let (mut first, mut last) = ((least / step).ceil(), (most / step).floor());
    if excluded(schema, first * step) {
        first += 1.0;
    }
    if excluded(schema, last * step) {
        last -= 1.0;
    }
    let steps = draw.between(0, (last - first).max(0.0) as u64);
    json!(((first + steps as f64) * step) as i64)
}

pub(super) fn number(schema: &Value, draw: &mut Draw) -> Value {
    let (least, most) = bounds(schema);
    if let Some(step) = bound(schema, "multipleOf").filter(|&step| step > 0.0) {
        let first = (least / step).ceil();
        let steps = draw.between(0, ((most / step).floor() - first).max(0.0) as u64);
        return float((first + steps as f64) * step);
    }
    // Away from the ends, so that nothing excluded is met.
    let exact = least + (most - least) * (0.01 + 0.98 * draw.share());
    let short = (exact * 100.0).round() / 100.0;
    float(if (least..=most).contains(&short) && !excluded(schema, short) { short } else { exact })
}

fn float(value: f64) -> Value {
    Number::from_f64(value).map_or(json!(0), Value::Number)
}
