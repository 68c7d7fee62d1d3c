//! Shows the prompts of this program.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tidemill::llm::Prompt;
use tidemill_apps::server::{AnalystChoice, Settings};

use super::asked;
use crate::usage::usage;

fn parse(text: &str) -> Result<Prompt> {
    Prompt::parse(text).context("a prompt of this program")
}

/// Lists the prompts, each with its application, its settings and its answers.
pub(super) fn list(settings: &Settings) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let models = match &settings.analyst {
        AnalystChoice::Offline => "none is configured, see analyst.kind".to_owned(),
        AnalystChoice::Model(models) => {
            models.models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", then ")
        }
    };
    for (app, asked) in asked() {
        let prompt = parse(asked.prompt)?;
        let hash = &prompt.hash()[..12];
        writeln!(out, "{}  version {}  {hash}", prompt.name, prompt.version)?;
        writeln!(out, "  application  {}", app.id)?;
        writeln!(out, "  models       {models}")?;
        let temperature = prompt.temperature.map_or("the model's own".to_owned(), |number| number.to_string());
        let most = prompt.max_output_tokens.map_or("any number of tokens".to_owned(), |most| format!("{most} tokens"));
        writeln!(out, "  settings     temperature {temperature}, answers of at most {most}")?;
        match prompt.schema().and_then(|schema| schema["properties"].as_object()) {
            None => writeln!(out, "  answer       a text")?,
            Some(fields) => {
                for (place, (name, schema)) in fields.iter().enumerate() {
                    let title = if place == 0 { "answer" } else { "" };
                    writeln!(out, "  {title:<12} {name}: {}", summary(schema))?;
                }
            }
        }
    }
    Ok(())
}

/// Prints a prompt's file.
pub(super) fn show(name: &str) -> Result<()> {
    let mut names = Vec::new();
    for (_, asked) in asked() {
        let prompt = parse(asked.prompt)?;
        if prompt.name == name {
            return Ok(write!(std::io::stdout().lock(), "{}", asked.prompt)?);
        }
        names.push(prompt.name);
    }
    Err(usage(format!("there is no prompt '{name}'; the prompts are {}", names.join(" and "))))
}

/// What a schema allows, in a few words.
fn summary(schema: &Value) -> String {
    let kind = schema["type"].as_str().unwrap_or("value");
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().map(|word| word.as_str().map_or(word.to_string(), str::to_owned)).collect();
        return format!("one of {}", words.join(", "));
    }
    match (kind, schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (_, Some(least), Some(most)) => format!("{kind} from {least} to {most}"),
        ("array", ..) => {
            let most = schema["maxItems"].as_u64().map_or(String::new(), |most| format!("at most {most} "));
            format!("{most}items, each {}", summary(&schema["items"]))
        }
        ("string", ..) => {
            schema["maxLength"].as_u64().map_or("text".to_owned(), |most| format!("text of at most {most} characters"))
        }
        _ => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_told_in_a_few_words() {
        assert_eq!(summary(&json!({ "type": "string", "enum": ["calm", "sad"] })), "one of calm, sad");
        assert_eq!(summary(&json!({ "type": "integer", "minimum": 0, "maximum": 9 })), "integer from 0 to 9");
        let topics = json!({ "type": "array", "maxItems": 5, "items": { "type": "string", "maxLength": 60 } });
        assert_eq!(summary(&topics), "at most 5 items, each text of at most 60 characters");
        assert_eq!(summary(&json!({ "type": "boolean" })), "boolean");
    }
}
