//! Holds a model's answer against the schema of its prompt.

use std::{fmt, ops::Range};

use jsonschema::{Validator, error::ValidationErrorKind};
use serde_json::Value;
use thiserror::Error;

/// The first mistakes are enough for a repair.
const MOST_FLAWS: usize = 8;
/// JSON is looked for at so many places of a text.
const MOST_PLACES: usize = 16;

/// Checks answers against a JSON schema.
///
/// Text around the JSON is tolerated: fences of Markdown, thoughts, polite sentences.
///
/// ```
/// use serde_json::json;
/// use tidemill::llm::OutputCheck;
///
/// let schema = json!({
///     "type": "object",
///     "required": ["mood", "advice"],
///     "properties": {
///         "mood": { "enum": ["calm", "happy"] },
///         "advice": { "type": "string", "maxLength": 20, "not": { "pattern": "https?://|www\\." } },
///     },
/// });
/// let check = OutputCheck::new(&schema)?;
/// let answer = "Sure!\n```json\n{\"mood\": \"calm\", \"advice\": \"Ask a question.\"}\n```";
/// assert_eq!(check.check(answer)?["mood"], "calm");
///
/// let wrong = check.check(r#"{"mood": "angry", "advice": "Go to https://x.example"}"#).unwrap_err();
/// assert_eq!(wrong.to_string(), "/advice does not fit maxLength; /advice does not fit not; /mood does not fit enum");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OutputCheck {
    validator: Validator,
}

/// What is wrong with an answer. Its text names places and rules. It never quotes the answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Flaws {
    /// For people and reports: the place and the rule.
    short: Vec<String>,
    /// For the model: as much as it needs to correct itself.
    long: Vec<String>,
}

impl fmt::Display for Flaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short.join("; "))
    }
}

impl Flaws {
    pub(super) fn new(short: impl Into<String>) -> Self {
        let short = short.into();
        Self { long: vec![short.clone()], short: vec![short] }
    }

    pub(super) fn for_model(&self) -> String {
        self.long.iter().map(|flaw| format!("- {flaw}")).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Debug for OutputCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutputCheck")
    }
}

impl OutputCheck {
    /// Reads a schema. References to other documents are not followed. See the example of [`OutputCheck`].
    ///
    /// # Errors
    /// If it is no JSON schema.
    pub fn new(schema: &Value) -> Result<Self, Flaws> {
        let validator = jsonschema::options().should_validate_formats(true).build(schema);
        let validator = validator.map_err(|error| Flaws::new(format!("{}: {error}", place(&error))))?;
        Ok(Self { validator })
    }

    /// Finds the JSON in an answer and checks it. See the example of [`OutputCheck`].
    ///
    /// # Errors
    /// If there is no JSON, or if it does not fit the schema.
    pub fn check(&self, text: &str) -> Result<Value, Flaws> {
        let mut first = None;
        for value in values(text) {
            match self.check_value(&value) {
                Ok(()) => return Ok(value),
                Err(flaws) => first = first.or(Some(flaws)),
            }
        }
        Err(first.unwrap_or_else(|| Flaws::new("the answer is no JSON")))
    }

    /// Checks a value. See the example of [`OutputCheck`].
    ///
    /// # Errors
    /// If it does not fit the schema.
    pub fn check_value(&self, value: &Value) -> Result<(), Flaws> {
        let errors = self.validator.iter_errors(value).take(MOST_FLAWS);
        let (short, long): (Vec<_>, Vec<_>) = errors
            .map(|error| {
                let place = place(&error);
                let rule = match error.kind() {
                    ValidationErrorKind::Required { property } => format!("required {property}"),
                    _ => error.kind().keyword().to_owned(),
                };
                (format!("{place} does not fit {rule}"), format!("{place}: {}", error.masked()))
            })
            .unzip();
        if short.is_empty() { Ok(()) } else { Err(Flaws { short, long }) }
    }
}

/// Where in a value an error is. The names of a model's own making are cut.
fn place(error: &jsonschema::ValidationError<'_>) -> String {
    let path = error.instance_path().to_string();
    if path.is_empty() { "the answer".to_owned() } else { path.chars().take(80).collect() }
}

/// The JSON values in a text that may be meant: the whole text, or the objects and arrays in it from left to right.
fn values(text: &str) -> Vec<Value> {
    let text = without_thoughts(text).trim();
    if let Ok(value) = serde_json::from_str(text) {
        return vec![value];
    }
    let mut values = Vec::new();
    let mut from = 0;
    for _ in 0..MOST_PLACES {
        let Some(at) = text[from..].find(['{', '[']).map(|at| from + at) else { break };
        match value_at(text, at) {
            Some((value, taken)) => {
                values.push(value);
                from = taken.end;
            }
            None => from = at + 1,
        }
    }
    values
}

fn value_at(text: &str, at: usize) -> Option<(Value, Range<usize>)> {
    let mut stream = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
    let value = stream.next()?.ok()?;
    Some((value, at..at + stream.byte_offset()))
}

/// Local models write their thoughts into the answer.
fn without_thoughts(text: &str) -> &str {
    ["</think>", "</thinking>"].into_iter().find_map(|end| Some(text.rsplit_once(end)?.1)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check() -> Result<OutputCheck, Flaws> {
        OutputCheck::new(&json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } }))
    }

    #[test]
    fn json_is_found_in_fences_in_sentences_and_behind_thoughts() -> Result<(), Flaws> {
        for text in [
            r#"{"n": 1}"#,
            "```json\n{\"n\": 1}\n```",
            "```\n{\"n\": 1}",
            "Here it is: {\"n\": 1}. Anything else?",
            "<think>perhaps {\"n\": 7}?</think>\n{\"n\": 1}",
            "An example: {\"m\": []}. The answer: {\"n\": 1}",
            "a set {x} and then {\"n\": 1.0}",
        ] {
            assert_eq!(check()?.check(text)?["n"].as_f64(), Some(1.0), "{text}");
        }
        Ok(())
    }

    #[test]
    fn what_is_wrong_is_told_without_the_answer() -> Result<(), Flaws> {
        let no_json = check()?.check("my phone number is 555").map_err(|flaws| flaws.to_string());
        assert_eq!(no_json, Err("the answer is no JSON".into()));
        let wrong = check()?
            .check(r#"{"n": "my phone number is 555"}"#)
            .map_err(|flaws| (flaws.to_string(), flaws.for_model()));
        let long = "- /n: value is not of type \"integer\"".to_owned();
        assert_eq!(wrong, Err(("/n does not fit type".into(), long)));
        let missing = check()?.check("{}").map_err(|flaws| flaws.to_string());
        assert_eq!(missing, Err("the answer does not fit required \"n\"".into()));
        Ok(())
    }

    #[test]
    fn a_text_of_brackets_costs_little() -> Result<(), Flaws> {
        assert!(check()?.check(&"[".repeat(1 << 20)).is_err());
        assert!(check()?.check(&"{\"a\":".repeat(1 << 18)).is_err());
        Ok(())
    }
}
