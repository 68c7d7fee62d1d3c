//! Reads a request.

use serde_json::{Value, json};

use super::known::{check_request, check_schema, field};
use crate::asked::{Asked, Form, Tool, ToolChoice};

/// What a request asks, or what is wrong with it, in the API's words.
pub(crate) fn read(body: &[u8], model: String, stream: bool) -> Result<Asked, String> {
    let request: Value =
        serde_json::from_slice(body).map_err(|error| format!("Invalid JSON payload received. {error}"))?;
    check_request(&request)?;
    let mut asked = Asked { model, stream, stream_usage: true, ..Asked::default() };
    for part in field(&request, "systemInstruction").map(parts).unwrap_or_default() {
        asked.system.extend(field(part, "text").and_then(Value::as_str).map(str::to_owned));
    }
    let contents = match field(&request, "contents") {
        Some(Value::Array(contents)) if !contents.is_empty() => contents.as_slice(),
        Some(content @ Value::Object(_)) => std::slice::from_ref(content),
        _ => return Err("* GenerateContentRequest.contents: contents is not specified\n".into()),
    };
    contents.iter().try_for_each(|content| read_content(content, &mut asked))?;
    read_tools(&request, &mut asked)?;
    read_config(&request, &mut asked)?;
    Ok(asked)
}

fn parts(content: &Value) -> Vec<&Value> {
    match field(content, "parts") {
        Some(Value::Array(parts)) => parts.iter().collect(),
        Some(part) => vec![part],
        None => Vec::new(),
    }
}

fn read_content(content: &Value, asked: &mut Asked) -> Result<(), String> {
    let by_model = match field(content, "role").and_then(Value::as_str) {
        Some("model") => true,
        None | Some("user" | "function") => false,
        Some(_) => return Err("Please use a valid role: user, model.".into()),
    };
    let parts = parts(content);
    if parts.is_empty() {
        return Err("* GenerateContentRequest.contents.parts: contents.parts must not be empty.\n".into());
    }
    let mut calls = 0;
    for part in parts {
        let text = if let Some(text) = field(part, "text").and_then(Value::as_str) {
            text.to_owned()
        } else if let Some(call) = field(part, "functionCall") {
            calls += 1;
            format!("{}{}", name(call), call.get("args").unwrap_or(&json!({})))
        } else if let Some(result) = field(part, "functionResponse") {
            format!("{}{}", name(result), result.get("response").unwrap_or(&json!({})))
        } else if ["inlineData", "fileData"].iter().any(|kind| field(part, kind).is_some()) {
            continue;
        } else {
            return Err("Unable to submit request because a part must have one initialized field: data.".into());
        };
        if by_model { &mut asked.said } else { &mut asked.data }.push(text);
    }
    if calls > 0 && by_model {
        asked.tool_rounds += 1;
    }
    Ok(())
}

fn name(value: &Value) -> &str {
    value.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn read_tools(request: &Value, asked: &mut Asked) -> Result<(), String> {
    let tools = field(request, "tools").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for declaration in tools.iter().filter_map(|tool| field(tool, "functionDeclarations")?.as_array()).flatten() {
        if name(declaration).is_empty() {
            return Err("* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name. \
                        Must start with a letter or an underscore.\n"
                .into());
        }
        if let Some(parameters) = field(declaration, "parameters") {
            check_schema(parameters, "tools[0].function_declarations[0].parameters")?;
        }
        let parameters = field(declaration, "parameters").or_else(|| field(declaration, "parametersJsonSchema"));
        asked.tools.push(Tool {
            name: name(declaration).to_owned(),
            parameters: parameters.cloned().unwrap_or(json!({})),
            declaration: declaration.to_string(),
        });
    }
    let mode = field(request, "toolConfig")
        .and_then(|config| field(config, "functionCallingConfig"))
        .and_then(|config| field(config, "mode"));
    asked.choice = match mode.and_then(Value::as_str) {
        Some("NONE") => ToolChoice::Never,
        Some("ANY") => ToolChoice::Must,
        _ => ToolChoice::Free,
    };
    Ok(())
}

fn read_config(request: &Value, asked: &mut Asked) -> Result<(), String> {
    let Some(config) = field(request, "generationConfig") else { return Ok(()) };
    if let Some(most) = field(config, "maxOutputTokens") {
        let most = most.as_u64().filter(|&most| most > 0);
        let most = most.ok_or("* GenerateContentRequest.generation_config.max_output_tokens: must be positive.\n")?;
        asked.most_tokens = Some(most);
    }
    if let Some(temperature) = field(config, "temperature").and_then(Value::as_f64)
        && !(0.0..=2.0).contains(&temperature)
    {
        return Err(format!(
            "* GenerateContentRequest.generation_config.temperature: must be in the range [0.0, 2.0], got {temperature}.\n"
        ));
    }
    let schema = match (field(config, "responseSchema"), field(config, "responseJsonSchema")) {
        (Some(_), Some(_)) => return Err("Only one of response_schema and response_json_schema may be set.".into()),
        (Some(schema), None) => {
            check_schema(schema, "generation_config.response_schema")?;
            Some(schema)
        }
        (None, schema) => schema,
    };
    let form = field(config, "responseMimeType").and_then(Value::as_str).unwrap_or("text/plain");
    asked.form = match (form, schema) {
        ("application/json", schema) => Form::Json(schema.cloned().unwrap_or(json!({}))),
        ("text/x.enum", Some(schema)) => Form::Choice(schema.clone()),
        ("text/plain", None) => Form::Text,
        ("text/plain", Some(_)) => {
            return Err("* GenerateContentRequest.generation_config.response_mime_type: a response schema needs \
                        response_mime_type application/json or text/x.enum.\n"
                .into());
        }
        (other, _) => {
            return Err(format!(
                "* GenerateContentRequest.generation_config.response_mime_type: '{other}' is not allowed: allowed \
                 mimetypes are `text/plain`, `application/json`, `application/xml`, `application/yaml` and \
                 `text/x.enum`.\n"
            ));
        }
    };
    Ok(())
}
