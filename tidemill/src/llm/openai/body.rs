//! Writes a request in OpenAI's words.

use serde_json::{Value, json};

use super::{Settings, StructuredOutput};
use crate::llm::{
    prompt::schema_text,
    request::{ModelRequest, ModelTurn, ToolChoice, Turn},
};

pub(super) fn body(request: &ModelRequest, provider: &str, settings: &Settings) -> Value {
    let mut system = request.system.clone();
    let mut body = json!({ "model": request.model });
    if let Some(schema) = &request.schema {
        let strict = settings.structured == StructuredOutput::StrictJsonSchema;
        match settings.structured {
            StructuredOutput::JsonSchema | StructuredOutput::StrictJsonSchema => {
                let named = json!({ "name": "answer", "schema": schema, "strict": strict });
                body["response_format"] = json!({ "type": "json_schema", "json_schema": named });
            }
            // The servers want the word JSON in the text. It is in the text of the schema.
            StructuredOutput::JsonObject => {
                body["response_format"] = json!({ "type": "json_object" });
                system.push_str(&schema_text(schema));
            }
            StructuredOutput::None => system.push_str(&schema_text(schema)),
        }
    }
    let system = (!system.is_empty()).then(|| json!({ "role": "system", "content": system }));
    let turns = request.turns.iter().map(|turn| message(turn, provider, settings));
    body["messages"] = system.into_iter().chain(turns).collect();
    if let Some(temperature) = request.temperature {
        body["temperature"] = json!(temperature);
    }
    if let Some(most) = request.max_output_tokens {
        body[if settings.max_completion_tokens { "max_completion_tokens" } else { "max_tokens" }] = json!(most);
    }
    if request.stream {
        body["stream"] = json!(true);
        if settings.stream_usage {
            body["stream_options"] = json!({ "include_usage": true });
        }
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let function = json!({ "name": tool.name, "description": tool.description, "parameters": tool.parameters });
            json!({ "type": "function", "function": function })
        });
        body["tools"] = tools.collect();
        body["tool_choice"] = json!(if request.tool_choice == ToolChoice::None { "none" } else { "auto" });
    }
    body
}

fn message(turn: &Turn, provider: &str, settings: &Settings) -> Value {
    match turn {
        Turn::User { text } => json!({ "role": "user", "content": text }),
        Turn::Model(turn) => model(turn, provider, settings),
        Turn::ToolResult(result) => {
            let content = if result.error { json!({ "error": result.content }) } else { result.content.clone() };
            json!({ "role": "tool", "tool_call_id": result.call, "content": content.to_string() })
        }
    }
}

fn model(turn: &ModelTurn, provider: &str, settings: &Settings) -> Value {
    let mut message = json!({ "role": "assistant", "content": turn.text });
    let opaque = turn.opaque.as_ref().filter(|opaque| opaque.provider == provider).map(|opaque| &opaque.parts);
    if !turn.calls.is_empty() {
        let calls = turn.calls.iter().enumerate().map(|(at, call)| {
            // Servers that read the arguments fail if they are no JSON, so broken ones are not repeated.
            let arguments = if call.broken { "{}".to_owned() } else { call.arguments.to_string() };
            let function = json!({ "name": call.name, "arguments": arguments });
            let mut written = json!({ "id": call.id, "type": "function", "function": function });
            if let Some(extra) = opaque.map(|parts| &parts["extra"][at]).filter(|extra| !extra.is_null()) {
                written["extra_content"] = extra.clone();
            }
            written
        });
        message["tool_calls"] = calls.collect();
    }
    if settings.reasoning_back
        && let Some(reasoning) = opaque.map(|parts| &parts["reasoning"]).filter(|reasoning| reasoning.is_string())
    {
        message["reasoning_content"] = reasoning.clone();
    }
    message
}
