//! Reads a request.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::strict;
use crate::asked::{Asked, Form, Tool, ToolChoice};

/// What a request asks, or what is wrong with it, in the API's words.
pub(crate) fn read(body: &[u8]) -> Result<Asked, String> {
    let request: Value = serde_json::from_slice(body)
        .map_err(|error| format!("We could not parse the JSON body of your request. ({error})"))?;
    let model = request.get("model").and_then(Value::as_str).unwrap_or_default();
    if model.is_empty() {
        return Err("you must provide a model parameter".into());
    }
    let mut asked = Asked {
        model: model.to_owned(),
        stream: request["stream"] == json!(true),
        stream_usage: request["stream_options"]["include_usage"] == json!(true),
        ..Asked::default()
    };
    let messages = request.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if messages.is_empty() {
        return Err(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array \
                    instead."
                .into(),
        );
    }
    let mut called = HashSet::new();
    for (at, message) in messages.iter().enumerate() {
        read_message(message, at, &mut called, &mut asked)?;
    }
    read_tools(&request, &mut asked)?;
    read_form(&request, &mut asked)?;
    for name in ["max_tokens", "max_completion_tokens"] {
        if let Some(most) = request.get(name).filter(|most| !most.is_null()) {
            let least = format!("Invalid '{name}': integer below minimum value. Expected a value >= 1.");
            asked.most_tokens = Some(most.as_u64().filter(|&most| most > 0).ok_or(least)?);
        }
    }
    Ok(asked)
}

fn read_message<'a>(
    message: &'a Value,
    at: usize,
    called: &mut HashSet<&'a str>,
    asked: &mut Asked,
) -> Result<(), String> {
    let texts = texts(&message["content"]);
    match message["role"].as_str() {
        Some("system" | "developer") => asked.system.extend(texts),
        Some("user") => asked.data.extend(texts),
        Some("tool") => {
            let answered = message["tool_call_id"].as_str().is_some_and(|id| called.contains(id));
            if !answered {
                return Err(format!(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with \
                     'tool_calls'. (messages[{at}])"
                ));
            }
            asked.data.extend(texts);
        }
        Some("assistant") => {
            asked.said.extend(texts);
            let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
            for call in calls {
                called.extend(call["id"].as_str());
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                asked.said.push(text(&call["function"]["name"]) + &text(&call["function"]["arguments"]));
            }
            asked.tool_rounds += u32::from(!calls.is_empty());
        }
        role => {
            let role = role.unwrap_or_default();
            return Err(format!(
                "Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'tool', and 'developer'. \
                 (messages[{at}].role)"
            ));
        }
    }
    Ok(())
}

/// The texts of a message: one, or parts.
fn texts(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

fn read_tools(request: &Value, asked: &mut Asked) -> Result<(), String> {
    for (at, tool) in request["tools"].as_array().into_iter().flatten().enumerate() {
        let function = &tool["function"];
        let Some(name) = function["name"].as_str().filter(|name| !name.is_empty()) else {
            return Err(format!("Missing required parameter: 'tools[{at}].function.name'."));
        };
        let parameters = function.get("parameters").cloned().unwrap_or(json!({}));
        if function["strict"] == json!(true) {
            strict::check(&parameters, &format!("function '{name}'"))?;
        }
        asked.tools.push(Tool { name: name.to_owned(), parameters, declaration: tool.to_string() });
    }
    asked.choice = match &request["tool_choice"] {
        Value::String(choice) if choice == "none" => ToolChoice::Never,
        Value::String(choice) if choice == "required" => ToolChoice::Must,
        Value::Object(choice) => {
            let name = choice.get("function").and_then(|function| function["name"].as_str());
            asked.tools.retain(|tool| Some(tool.name.as_str()) == name);
            ToolChoice::Must
        }
        _ => ToolChoice::Free,
    };
    Ok(())
}

fn read_form(request: &Value, asked: &mut Asked) -> Result<(), String> {
    let form = &request["response_format"];
    asked.form = match form["type"].as_str() {
        None | Some("text") => Form::Text,
        Some("json_object") => Form::Json(form.get("schema").cloned().unwrap_or(json!({}))),
        Some("json_schema") => {
            let declared = &form["json_schema"];
            let Some(name) = declared["name"].as_str() else {
                return Err("Missing required parameter: 'response_format.json_schema.name'.".into());
            };
            let schema = declared.get("schema").cloned().unwrap_or(json!({}));
            if declared["strict"] == json!(true) {
                strict::check(&schema, &format!("response_format '{name}'"))?;
            }
            Form::Json(schema)
        }
        Some(other) => {
            return Err(format!(
                "Invalid value: '{other}'. Supported values are: 'json_object', 'json_schema', and 'text'. \
                 (response_format.type)"
            ));
        }
    };
    Ok(())
}
