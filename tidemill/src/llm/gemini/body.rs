//! Writes a request in Gemini's words.

use serde_json::{Map, Value, json};

use super::{Settings, schema};
use crate::llm::request::{ModelRequest, ModelTurn, ToolChoice, ToolResult, Turn};

/// Calls that Gemini gave no id get one that begins like this. It is not sent back.
pub(super) const OWN_ID: &str = "tidemill-";
/// Gemini wants the signature of the thoughts behind each call. Calls of another model have none; Google documents
/// this word for them.
const FOREIGN: &str = "skip_thought_signature_validator";

pub(super) fn body(request: &ModelRequest, provider: &str, settings: &Settings) -> Value {
    let mut config = Map::new();
    let mut system = request.system.clone();
    if let Some(wanted) = &request.schema {
        if request.tools.is_empty() || settings.schema_with_tools {
            config.insert("responseMimeType".into(), json!("application/json"));
            if settings.json_schema {
                config.insert("responseJsonSchema".into(), wanted.clone());
            } else {
                config.insert("responseSchema".into(), schema::reduced(wanted));
            }
        } else {
            system.push_str(&crate::llm::prompt::schema_text(wanted));
        }
    }
    if let Some(temperature) = request.temperature {
        config.insert("temperature".into(), json!(temperature));
    }
    if let Some(most) = request.max_output_tokens {
        config.insert("maxOutputTokens".into(), json!(most));
    }
    if let Some(budget) = settings.thinking_budget {
        config.insert("thinkingConfig".into(), json!({ "thinkingBudget": budget }));
    }
    let mut body = json!({ "contents": contents(&request.turns, provider), "generationConfig": config });
    if !system.is_empty() {
        body["systemInstruction"] = json!({ "parts": [{ "text": system }] });
    }
    if !request.tools.is_empty() {
        let declarations = request.tools.iter().map(|tool| {
            let mut declaration = json!({ "name": tool.name, "description": tool.description });
            // An object without properties is refused.
            let takes = tool.parameters["properties"].as_object().is_some_and(|fields| !fields.is_empty());
            if takes && settings.json_schema {
                declaration["parametersJsonSchema"] = tool.parameters.clone();
            } else if takes {
                declaration["parameters"] = schema::reduced(&tool.parameters);
            }
            declaration
        });
        body["tools"] = json!([{ "functionDeclarations": declarations.collect::<Vec<_>>() }]);
        if request.tool_choice == ToolChoice::None {
            body["toolConfig"] = json!({ "functionCallingConfig": { "mode": "NONE" } });
        }
    }
    body
}

/// The turns. The results of all calls of a turn go into one turn, because Gemini counts them.
fn contents(turns: &[Turn], provider: &str) -> Vec<Value> {
    let mut contents: Vec<(&str, Vec<Value>, bool)> = Vec::new();
    for turn in turns {
        match turn {
            Turn::User { text } => contents.push(("user", vec![json!({ "text": text })], false)),
            Turn::Model(turn) => contents.push(("model", model(turn, provider), false)),
            Turn::ToolResult(result) => match contents.last_mut() {
                Some(("user", parts, true)) => parts.push(response(result)),
                _ => contents.push(("user", vec![response(result)], true)),
            },
        }
    }
    contents.into_iter().map(|(role, parts, _)| json!({ "role": role, "parts": parts })).collect()
}

fn model(turn: &ModelTurn, provider: &str) -> Vec<Value> {
    if let Some(opaque) = turn.opaque.as_ref().filter(|opaque| opaque.provider == provider)
        && let Some(parts) = opaque.parts.as_array()
    {
        return parts.clone();
    }
    let text = (!turn.text.is_empty()).then(|| json!({ "text": turn.text }));
    let calls = turn.calls.iter().map(|call| {
        let arguments = if call.arguments.is_object() { call.arguments.clone() } else { json!({}) };
        json!({ "functionCall": { "name": call.name, "args": arguments }, "thoughtSignature": FOREIGN })
    });
    text.into_iter().chain(calls).collect()
}

fn response(result: &ToolResult) -> Value {
    let name = if result.error { "error" } else { "result" };
    let mut response = json!({ "name": result.name, "response": { name: result.content } });
    if !result.call.starts_with(OWN_ID) {
        response["id"] = json!(result.call);
    }
    json!({ "functionResponse": response })
}
