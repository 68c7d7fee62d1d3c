//! The names that Gemini's API knows. It refuses all others, and so do we: a client learns it here, not in production.

use serde_json::Value;

const REQUEST: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "safetySettings",
    "cachedContent",
    "labels",
    "model",
];

const CONFIG: &[&str] = &[
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "stopSequences",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "thinkingConfig",
    "responseModalities",
    "speechConfig",
    "mediaResolution",
];

const SCHEMA: &[&str] = &[
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
    "propertyOrdering",
    "default",
    "items",
    "minimum",
    "maximum",
];

/// A field, by its name in camel case or in snake case. Both are understood.
pub(super) fn field<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.get(snake(name))).filter(|value| !value.is_null())
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

fn check(object: &Value, known: &[&str], place: &str) -> Result<(), String> {
    for name in object.as_object().into_iter().flat_map(|object| object.keys()) {
        if !known.iter().any(|known| name == known || *name == snake(known)) {
            let at = if place.is_empty() { String::new() } else { format!(" at '{place}'") };
            return Err(format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field."));
        }
    }
    Ok(())
}

/// Refuses names in a request that the API does not know.
pub(super) fn check_request(request: &Value) -> Result<(), String> {
    check(request, REQUEST, "")?;
    field(request, "generationConfig").map_or(Ok(()), |config| check(config, CONFIG, "generation_config"))
}

/// Refuses words of a schema that the API does not know. It knows fewer than JSON Schema has.
pub(super) fn check_schema(schema: &Value, place: &str) -> Result<(), String> {
    check(schema, SCHEMA, place)?;
    for (name, property) in field(schema, "properties").and_then(Value::as_object).into_iter().flatten() {
        check_schema(property, &format!("{place}.properties[{name}]"))?;
    }
    if let Some(items) = field(schema, "items") {
        check_schema(items, &format!("{place}.items"))?;
    }
    let choices = field(schema, "anyOf").and_then(Value::as_array);
    choices.into_iter().flatten().try_for_each(|choice| check_schema(choice, &format!("{place}.any_of")))
}
