//! What `strict: true` demands of a schema.

use serde_json::{Value, json};

/// Says where a schema has an object that allows other fields, or does not require all of its own.
pub(super) fn check(schema: &Value, of: &str) -> Result<(), String> {
    at(schema, of, "()")
}

fn at(schema: &Value, of: &str, place: &str) -> Result<(), String> {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        if schema.get("additionalProperties") != Some(&json!(false)) {
            return Err(format!(
                "Invalid schema for {of}: In context={place}, 'additionalProperties' is required to be supplied and to \
                 be false."
            ));
        }
        let required = schema.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if let Some(name) = properties.keys().find(|name| !required.contains(&json!(name))) {
            return Err(format!(
                "Invalid schema for {of}: In context={place}, 'required' is required to be supplied and to be an array \
                 including every key in properties. Missing '{name}'."
            ));
        }
        properties.iter().try_for_each(|(name, property)| at(property, of, &format!("('properties', '{name}')")))?;
    }
    for (name, definition) in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
        at(definition, of, &format!("('$defs', '{name}')"))?;
    }
    schema.get("items").map_or(Ok(()), |items| at(items, of, "('items')"))
}
