//! Schemas that are put together from others: `$ref` and `allOf`.

use serde_json::Value;

/// How many references may lead to each other.
const STEPS: usize = 16;

/// The schema with its references followed and its parts put together.
pub(super) fn resolved(root: &Value, schema: &Value) -> Value {
    resolved_within(root, schema, STEPS)
}

fn resolved_within(root: &Value, schema: &Value, steps: usize) -> Value {
    let mut schema = schema.clone();
    if steps == 0 {
        return Value::Null;
    }
    let target = |place: &str| root.pointer(place.strip_prefix('#')?);
    if let Some(found) = schema.get("$ref").and_then(Value::as_str).and_then(target) {
        remove(&mut schema, "$ref");
        schema = merged(&schema, &resolved_within(root, found, steps - 1));
    }
    if let Some(Value::Array(parts)) = remove(&mut schema, "allOf") {
        for part in parts {
            schema = merged(&schema, &resolved_within(root, &part, steps - 1));
        }
    }
    schema
}

fn remove(schema: &mut Value, word: &str) -> Option<Value> {
    schema.as_object_mut()?.remove(word)
}

/// Both schemas in one: fields and requirements of both, other words of the second. Choices of the first are gone.
pub(super) fn merged(first: &Value, second: &Value) -> Value {
    let mut all = first.as_object().cloned().unwrap_or_default();
    all.remove("anyOf");
    all.remove("oneOf");
    for (word, value) in second.as_object().into_iter().flatten() {
        match (all.get_mut(word), value) {
            (Some(Value::Object(mine)), Value::Object(theirs)) if word == "properties" => {
                mine.extend(theirs.iter().map(|(name, schema)| (name.clone(), schema.clone())));
            }
            (Some(Value::Array(mine)), Value::Array(theirs)) if word == "required" => {
                mine.extend(theirs.iter().cloned());
            }
            _ => {
                all.insert(word.clone(), value.clone());
            }
        }
    }
    Value::Object(all)
}
