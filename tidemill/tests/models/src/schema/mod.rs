//! Values that fit a JSON schema, and values that do not.

mod number;
mod reference;
mod string;
mod wrong;

use serde_json::{Map, Value, json};

use crate::draw::Draw;
pub(crate) use string::words;
pub(crate) use wrong::{broken, unfitting};

/// Objects deeper than this have only the fields that they must have, so that a schema that contains itself ends.
const DEPTH: usize = 6;

/// Makes values. `echo` is what all free strings say, if given.
pub(crate) struct Maker<'a> {
    root: &'a Value,
    draw: &'a mut Draw,
    echo: Option<&'a str>,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(root: &'a Value, draw: &'a mut Draw, echo: Option<&'a str>) -> Self {
        Self { root, draw, echo }
    }

    /// A value that fits the whole schema. It heeds types (also in capitals, as Gemini writes them), `enum`, `const`,
    /// `properties`, `required`, `items`, `prefixItems`, `minItems`, `maxItems`, `uniqueItems`,
    /// bounds and multiples of numbers, lengths and common formats of strings, `nullable`, `anyOf`, `oneOf`, `allOf` and
    /// `$ref` within the schema. It does not heed `pattern`, `not`, `if` and `dependentRequired`.
    pub(crate) fn value(&mut self) -> Value {
        self.make(self.root, 0)
    }

    fn make(&mut self, schema: &Value, depth: usize) -> Value {
        let schema = &reference::resolved(self.root, schema);
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(values) = list(schema, "enum") {
            return self.draw.one_of(values).clone();
        }
        if let Some(choices) = list(schema, "anyOf").or_else(|| list(schema, "oneOf")) {
            let deep = depth > DEPTH;
            let simple = |choice: &&Value| !deep || kind(&reference::resolved(self.root, choice)) != "object";
            let fitting: Vec<&Value> = choices.iter().filter(simple).collect();
            let choice = if fitting.is_empty() { &choices[0] } else { *self.draw.one_of(&fitting) };
            return self.make(&reference::merged(schema, choice), depth);
        }
        let nullable = schema.get("nullable").and_then(Value::as_bool).unwrap_or_default() || allows_null(schema);
        if nullable && (depth > DEPTH || self.draw.strikes(0.125)) {
            return Value::Null;
        }
        match kind(schema).as_str() {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "integer" => number::integer(schema, self.draw),
            "number" => number::number(schema, self.draw),
            "boolean" => Value::Bool(self.draw.strikes(0.5)),
            "null" => Value::Null,
            _ => Value::String(string::string(schema, self.draw, self.echo)),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required: Vec<&str> = strings(schema, "required");
        // By name: the order of a map depends on how serde_json is built, and the values must not.
        let mut properties: Vec<(&str, &Value)> =
            properties.iter().map(|(name, property)| (name.as_str(), property)).collect();
        properties.sort_unstable_by_key(|(name, _)| *name);
        let mut object = Map::new();
        for (name, property) in properties {
            let wanted = required.contains(&name) || (depth < DEPTH && !self.draw.strikes(0.25));
            if wanted {
                object.insert(name.to_owned(), self.make(property, depth + 1));
            }
        }
        for name in required {
            // A field that must be there, and of which nothing else is known.
            object.entry(name).or_insert_with(|| json!("any"));
        }
        Value::Object(object)
    }

    fn array(&mut self, schema: &Value, depth: usize) -> Value {
        let least = size(schema, "minItems").unwrap_or(0);
        let deep = depth > DEPTH;
        let most = size(schema, "maxItems").unwrap_or(least.max(1) + 2).min(least + 3).max(least);
        let length = if deep { least } else { self.draw.between(least.max(1).min(most), most) };
        let unique = schema.get("uniqueItems").and_then(Value::as_bool).unwrap_or_default();
        let first = list(schema, "prefixItems").map_or(&[][..], Vec::as_slice);
        let any = json!({"type": "string"});
        let rest = schema.get("items").filter(|items| items.is_object()).unwrap_or(&any);
        let mut items: Vec<Value> = Vec::new();
        // Some more attempts, for items that must differ.
        for _ in 0..length.saturating_mul(if unique { 20 } else { 1 }) {
            if items.len() as u64 == length {
                break;
            }
            let item = self.make(first.get(items.len()).unwrap_or(rest), depth + 1);
            if !unique || !items.contains(&item) {
                items.push(item);
            }
        }
        Value::Array(items)
    }
}

/// The type, in small letters: the first that is not null. Without one, it follows from the other words.
fn kind(schema: &Value) -> String {
    let named = match schema.get("type") {
        Some(Value::String(name)) => Some(name.to_ascii_lowercase()),
        Some(Value::Array(names)) => {
            let mut names = names.iter().filter_map(Value::as_str).map(str::to_ascii_lowercase);
            names.find(|name| name != "null").or(Some("null".into()))
        }
        _ => None,
    };
    named.unwrap_or_else(|| {
        let has = |word| schema.get(word).is_some();
        if has("properties") || has("required") {
            "object".into()
        } else if has("items") || has("prefixItems") {
            "array".into()
        } else if has("minimum") || has("maximum") {
            "number".into()
        } else {
            "string".into()
        }
    })
}

fn allows_null(schema: &Value) -> bool {
    list(schema, "type").is_some_and(|names| names.len() > 1 && names.contains(&json!("null")))
}

fn list<'a>(schema: &'a Value, word: &str) -> Option<&'a Vec<Value>> {
    schema.get(word)?.as_array().filter(|list| !list.is_empty())
}

fn strings<'a>(schema: &'a Value, word: &str) -> Vec<&'a str> {
    list(schema, word).map_or(Vec::new(), |list| list.iter().filter_map(Value::as_str).collect())
}

/// A number of things. Gemini's schemas write it as a string, too.
fn size(schema: &Value, word: &str) -> Option<u64> {
    let value = schema.get(word)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Maker;
    use crate::draw::Draw;

    fn made(schema: &Value, check: impl Fn(&Value)) {
        for seed in 0..200 {
            let mut draw = Draw::of(seed, &[]);
            check(&Maker::new(schema, &mut draw, None).value());
        }
    }

    #[test]
    fn enums_and_bounds_hold() {
        let schema = json!({"type": "OBJECT", "required": ["mood", "score", "share"], "properties": {
            "mood": {"type": "STRING", "enum": ["calm", "tense"]},
            "score": {"type": "INTEGER", "minimum": 3, "maximum": 5},
            "share": {"type": "NUMBER", "minimum": 0.25, "exclusiveMaximum": 0.5}}});
        made(&schema, |value| {
            assert!(["calm", "tense"].contains(&value["mood"].as_str().expect("a text")));
            assert!((3..=5).contains(&value["score"].as_i64().expect("a whole number")));
            assert!((0.25..0.5).contains(&value["share"].as_f64().expect("a number")), "{value}");
        });
    }

    #[test]
    fn lengths_hold() {
        let items = json!({"type": "string", "minLength": 12, "maxLength": 14});
        let schema = json!({"type": "array", "minItems": "2", "maxItems": 3, "items": items});
        made(&schema, |value| {
            let items = value.as_array().expect("a list");
            assert!((2..=3).contains(&items.len()));
            for item in items {
                assert!((12..=14).contains(&item.as_str().expect("a text").chars().count()), "{item}");
            }
        });
        made(&json!({"type": "array", "maxItems": 0}), |value| assert_eq!(value, &json!([])));
    }

    #[test]
    fn multiples_and_unique_items_hold() {
        let schema = json!({"type": "array", "minItems": 3, "maxItems": 3, "uniqueItems": true,
            "items": {"type": "integer", "minimum": -7, "maximum": 20, "multipleOf": 5}});
        made(&schema, |value| {
            let mut items: Vec<i64> = value.as_array().expect("a list").iter().filter_map(Value::as_i64).collect();
            assert!(items.iter().all(|item| item % 5 == 0 && (-7..=20).contains(item)), "{items:?}");
            items.sort_unstable();
            items.dedup();
            assert_eq!(items.len(), 3);
        });
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let schema = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "required": ["name"],
            "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/node"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}}});
        made(&schema, |value| assert!(value["name"].is_string()));
    }

    #[test]
    fn parts_of_a_schema_are_put_together() {
        let schema = json!({"allOf": [{"type": "object", "required": ["a"], "properties": {"a": {"const": 1}}},
            {"required": ["b"], "properties": {"b": {"anyOf": [{"type": "null"}, {"type": "boolean"}]}}}]});
        made(&schema, |value| {
            assert_eq!(value["a"], 1);
            assert!(value["b"].is_null() || value["b"].is_boolean());
        });
    }

    #[test]
    fn what_does_not_fit_does_not_fit_and_what_is_broken_is_no_json() {
        let schema = json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}});
        made(&schema, |value| {
            let wrong = super::unfitting(&schema, value);
            assert!(wrong.get("a").is_none(), "{wrong}");
            for text in [value.to_string(), "12".into(), "\"a\"".into(), "[1]".into(), "true".into()] {
                let broken = super::broken(&text);
                assert!(serde_json::from_str::<Value>(&broken).is_err(), "{broken}");
            }
        });
    }
}
