//! What is said about a refused key and an unknown model: which setting to change, and no secret.

use std::sync::Arc;

use serde_json::{Value, json};
use tidemill::llm::{Gemini, ModelCaller, ModelRoute, OpenAi, Provider, SettingNames};

use crate::{
    callers::{Failure, Mood, run},
    runtime_of_threads,
    server::{Said, Server},
};

const KEY: &str = "sk-sesame-1234";

fn names() -> SettingNames {
    SettingNames { key: "MY_KEY".into(), model: "'my.model'".into(), address: "'my.address'".into() }
}

/// What is told of a request that the provider refuses.
fn told(provider: impl Provider + 'static, names: SettingNames) -> Result<String, Failure> {
    let runtime = runtime_of_threads();
    let route = ModelRoute::new(Arc::new(provider), "gemini-9").settings(names);
    let caller = ModelCaller::new(Mood::with_tools(Vec::new()), runtime.handle().clone()).route("model", route);
    Ok(run(caller, "model", &[(1, "hi")])?.remove(0))
}

fn refuses(status: u16, body: &Value) -> Server {
    Server::saying([Said::json(status, body)])
}

fn gemini(server: &Server) -> Result<Gemini, Failure> {
    Ok(Gemini::with_keys([KEY])?.endpoint(&server.url))
}

#[test]
fn a_refused_key_names_its_setting_beside_the_providers_word() -> Result<(), Failure> {
    let invalid = json!({ "error": { "status": "INVALID_ARGUMENT", "message": KEY, "details": [{ "reason": "API_KEY_INVALID" }] } });
    let refused = told(gemini(&refuses(400, &invalid))?, names())?;
    assert_eq!(refused, "the model's service refused the key or the token (HTTP 400, INVALID_ARGUMENT): change MY_KEY");
    let invalid =
        json!({ "error": { "code": "invalid_api_key", "message": format!("Incorrect API key provided: {KEY}") } });
    let server = refuses(401, &invalid);
    let refused = told(OpenAi::new(&format!("{}/v1", server.url))?.keys([KEY]), names())?;
    assert_eq!(refused, "the model's service refused the key or the token (HTTP 401, invalid_api_key): change MY_KEY");
    Ok(())
}

#[test]
fn an_unknown_model_is_named_with_its_setting() -> Result<(), Failure> {
    let unknown = json!({ "error": { "status": "NOT_FOUND", "message": "models/gemini-9 is not found" } });
    let refused = told(gemini(&refuses(404, &unknown))?, names())?;
    assert_eq!(
        refused,
        "the model's service does not know the model gemini-9 (HTTP 404, NOT_FOUND): change 'my.model' or 'my.address'"
    );
    let refused = told(gemini(&refuses(404, &unknown))?, SettingNames::default())?;
    assert_eq!(refused, "the model's service does not know the model gemini-9 (HTTP 404, NOT_FOUND)");
    Ok(())
}

#[test]
fn other_refusals_are_told_as_before() -> Result<(), Failure> {
    let refused = told(gemini(&refuses(400, &json!({ "error": { "status": "INVALID_ARGUMENT" } })))?, names())?;
    assert_eq!(refused, "the model's service refused the request (HTTP 400, INVALID_ARGUMENT)");
    Ok(())
}
