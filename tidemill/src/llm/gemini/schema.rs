//! Reduces a JSON schema to the part that Gemini knows. It refuses a request with any other keyword.

use serde_json::{Map, Value, json};

/// The keywords that Gemini takes as they are.
const KNOWN: [&str; 16] = [
    "title",
    "description",
    "nullable",
    "maxItems",
    "minItems",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "propertyOrdering",
    "default",
    "example",
];
/// References are followed this deep. A schema that contains itself has no end.
const DEEPEST: usize = 12;

pub(super) fn reduced(schema: &Value) -> Value {
    reduce(schema, schema, 0)
}

fn reduce(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(fields) = schema.as_object().filter(|_| depth < DEEPEST) else { return json!({}) };
    let mut out = Map::new();
    if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        if let Value::Object(target) = target.map_or(json!({}), |target| reduce(target, root, depth + 1)) {
            out.extend(target);
        }
    }
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("type", Value::Array(kinds)) => types(kinds, &mut out),
            ("type", kind) => drop(out.insert(name.clone(), kind.clone())),
            ("enum", Value::Array(values)) => choices(values, &mut out),
            ("const", value) => choices(std::slice::from_ref(value), &mut out),
            ("format", Value::String(format)) if matches!(format.as_str(), "date-time" | "enum") => {
                out.insert(name.clone(), value.clone());
            }
            ("properties", Value::Object(properties)) => {
                let reduced = properties.iter().map(|(name, schema)| (name.clone(), reduce(schema, root, depth + 1)));
                out.insert(name.clone(), Value::Object(reduced.collect()));
            }
            ("items", items) => drop(out.insert(name.clone(), reduce(items, root, depth + 1))),
            ("anyOf" | "oneOf", Value::Array(schemas)) => {
                let reduced = schemas.iter().map(|schema| reduce(schema, root, depth + 1));
                out.insert("anyOf".into(), reduced.collect());
            }
            // Lookarounds are not in the regular expressions of Google's RE2.
            ("pattern", Value::String(pattern)) if pattern.contains("(?") => {}
            (known, value) if KNOWN.contains(&known) => drop(out.insert(name.clone(), value.clone())),
            _ => {}
        }
    }
    Value::Object(out)
}

/// `["string", "null"]` is a string that may be null.
fn types(kinds: &[Value], out: &mut Map<String, Value>) {
    let mut others = kinds.iter().filter(|kind| kind.as_str() != Some("null"));
    if others.clone().count() < kinds.len() {
        out.insert("nullable".into(), json!(true));
    }
    if let (Some(kind), None) = (others.next(), others.next()) {
        out.insert("type".into(), kind.clone());
    }
}

/// Gemini's choices are strings.
fn choices(values: &[Value], out: &mut Map<String, Value>) {
    if values.iter().all(Value::is_string) {
        out.entry("type").or_insert_with(|| json!("string"));
        out.insert("enum".into(), values.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_that_gemini_refuses_are_left_out_at_every_level() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "$defs": { "mood": { "enum": ["calm", "happy"] } },
            "properties": {
                "mood": { "$ref": "#/$defs/mood" },
                "uniqueItems": { "type": "array", "uniqueItems": true, "items": { "type": ["string", "null"], "maxLength": 9 } },
                "link": { "type": "string", "format": "uri", "pattern": "^(?!http)" },
                "kind": { "const": "chat" },
            },
            "required": ["mood"],
        });
        assert_eq!(
            reduced(&schema),
            json!({
                "type": "object",
                "properties": {
                    "mood": { "type": "string", "enum": ["calm", "happy"] },
                    "uniqueItems": { "type": "array", "items": { "type": "string", "nullable": true, "maxLength": 9 } },
                    "link": { "type": "string" },
                    "kind": { "type": "string", "enum": ["chat"] },
                },
                "required": ["mood"],
            })
        );
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let tree = json!({ "type": "object", "properties": { "left": { "$ref": "#" } } });
        assert_eq!(reduced(&tree)["properties"]["left"]["type"], "object");
    }
}
