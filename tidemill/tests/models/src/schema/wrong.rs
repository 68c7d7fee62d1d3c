//! What a model gets wrong.

use serde_json::{Map, Value, json};

/// A value that does not fit the schema: the fields that must be there have other names, and other types. A schema
/// without such fields gets a value of another type.
pub(crate) fn unfitting(schema: &Value, value: &Value) -> Value {
    let required = super::strings(schema, "required");
    match value {
        Value::Object(fields) if !required.is_empty() => {
            let renamed = |(name, value): (&String, &Value)| {
                if required.contains(&name.as_str()) {
                    (format!("{name}_value"), json!(value.to_string()))
                } else {
                    (name.clone(), value.clone())
                }
            };
            Value::Object(fields.iter().map(renamed).collect())
        }
        Value::Object(_) => json!(["unexpected"]),
        _ => Value::Object(Map::from_iter([("unexpected".to_owned(), json!(true))])),
    }
}

/// JSON that cannot be parsed: its last character is missing, and a comma too many is there.
pub(crate) fn broken(json: &str) -> String {
    let end = json.char_indices().next_back().map_or(0, |(end, _)| end);
    format!("{},}}", &json[..end])
}
