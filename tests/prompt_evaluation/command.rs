//! The command `tidemill prompts`.

use std::{
    fs,
    process::{Command, Output, Stdio},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use serde_json::{Value, json};
use tidemill_model_server::{Latency, ModelServer, Schedule};

use crate::recorded::{journal, live, mood};

fn tidemill(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(arguments).stdin(Stdio::null()).env_remove("TIDEMILL_TOKEN");
    command
}

fn ended(command: &mut Command) -> (Option<i32>, String, String) {
    told(&command.output().expect("the binary runs"))
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// An evaluation of live insight with the stand-in as the provider.
fn eval(server: &ModelServer, arguments: &[&str]) -> Command {
    let endpoint = format!("analyst.endpoint={}/v1", server.url());
    let mut command = tidemill(&["prompts", "eval", "--application", "live-insight", "--analyst", "openai"]);
    command.args(["--set", &endpoint, "--set", "analyst.model=flash", "--set", "analyst.price=0.30/2.50"]);
    command.args(arguments);
    command
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("it is written");
        path.to_str().expect("text").to_owned()
    }

    fn journal(&self, windows: usize) -> String {
        self.write("calls.jsonl", &journal(&live(windows), |_| Some(mood("calm", 50))))
    }

    /// The program's prompt, changed.
    fn prompt(&self, change: impl Fn(String) -> String) -> String {
        let (_, text, _) = ended(&mut tidemill(&["prompts", "show", "live-insight"]));
        self.write("prompt.toml", &change(text))
    }
}

fn server() -> ModelServer {
    ModelServer::start(Schedule { latency: Latency::steady(1), ..Schedule::default() })
}

#[test]
fn prompts_are_listed_with_what_they_are_and_shown_as_they_are_built_in() {
    let (code, listed, _) = ended(&mut tidemill(&["prompts", "list"]));
    assert_eq!(code, Some(0));
    for part in [
        "live-insight  version 1  ",
        "application  form-coach",
        "temperature 0.2, answers of at most 4096 tokens",
        "vibe_score: integer from 0 to 100",
        "mood: one of hyped, amused",
    ] {
        assert!(listed.contains(part), "{part} in {listed}");
    }
    let (code, shown, _) = ended(&mut tidemill(&["prompts", "show", "form-coach"]));
    let file = fs::read_to_string("src/apps/form_coach/prompts/form-coach.v1.toml").expect("it exists");
    assert_eq!((code, shown), (Some(0), file));
    let (code, _, told) = ended(&mut tidemill(&["prompts", "show", "nope"]));
    assert!(code == Some(2) && told.contains("the prompts are live-insight and form-coach"), "{told}");
}

#[test]
fn recorded_requests_are_asked_again_and_the_answers_compared() {
    let (server, files) = (server(), Files::new());
    let calls = files.journal(4);
    let (code, result, said) = ended(&mut eval(&server, &["--requests", &calls]));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 requests to flash: they cost at most 0.") && said.contains(" USD"), "{said}");
    for part in ["candidate  live-insight@1 (", "fit at once", "agreement", "vibe_score", "the largest differences"] {
        assert!(result.contains(part), "{part} in {result}");
    }
    assert_eq!(server.calls().len(), 4);

    let (code, result, _) = ended(&mut eval(&server, &["--requests", &calls, "--limit", "2", "--json"]));
    let result: Value = serde_json::from_str(&result).expect("JSON");
    assert_eq!((code, &result["asked"], &result["valid"]), (Some(0), &json!(2), &json!(1.0)));
    assert_eq!((&result["currency"], &result["against"]["usage"]["cost_micros"]), (&json!("USD"), &json!(1100)));
}

#[test]
fn another_prompt_another_model_and_the_offline_analysis_can_be_compared() {
    let (server, files) = (server(), Files::new());
    let (calls, prompt) = (files.journal(3), files.prompt(|text| text.replace("version = 1", "version = 2")));
    let own = files.write("own.toml", &ended(&mut tidemill(&["prompts", "show", "live-insight"])).1);
    let run = |more: &[&str]| ended(&mut eval(&server, &[&["--requests", calls.as_str()][..], more].concat()));
    let (code, result, said) = run(&["--prompt", &prompt, "--against", &own]);
    assert!(code == Some(0) && said.contains("6 requests to flash"), "{said}");
    assert!(result.contains("candidate  live-insight@2") && result.contains("against    live-insight@1"), "{result}");
    let (_, result, _) = run(&["--against", "offline"]);
    assert!(result.contains("against    the offline analysis"), "{result}");
    let (code, result, _) = run(&["--model", "larger", "--yes"]);
    assert!(code == Some(0) && result.contains("with larger"), "{result}");
    assert_eq!(server.calls().last().map(|call| call.model.clone()), Some("larger".into()));
}

#[test]
fn what_may_be_expensive_or_has_no_price_is_asked_for_first() {
    let (server, files) = (server(), Files::new());
    let calls = files.journal(2);
    let run = |more: &[&str]| ended(&mut eval(&server, &[&["--requests", calls.as_str()][..], more].concat()));
    let (code, _, told) = run(&["--ask-above", "0.000001"]);
    assert!(code == Some(2) && told.contains("more than 0.000001 USD") && told.contains("--yes"), "{told}");
    let (code, _, told) = run(&["--model", "larger"]);
    assert!(code == Some(2) && told.contains("the price of larger is not known"), "{told}");
    let endless =
        files.prompt(|text| text.replace("max_output_tokens = 4096", "").replace("version = 1", "version = 2"));
    let (code, _, told) = run(&["--prompt", &endless]);
    assert!(code == Some(2) && told.contains("no max_output_tokens"), "{told}");
    assert!(server.calls().is_empty(), "nothing was asked");
    assert_eq!(run(&["--ask-above", "0.000001", "--yes"]).0, Some(0));
}

#[test]
fn the_exit_code_is_1_if_answers_are_worse_than_allowed() {
    let (server, files) = (server(), Files::new());
    let calls = files.journal(3);
    let (code, result, told) = ended(&mut eval(&server, &["--requests", &calls, "--min-agreement", "1"]));
    assert!(code == Some(1) && told.contains("the agreement is 0.") && !result.is_empty(), "{told}");
    server.change(|schedule| schedule.rates.wrong_schema = 1.0);
    let (code, result, told) = ended(&mut eval(&server, &["--requests", &calls]));
    assert!(code == Some(1) && told.contains("0.000 of the answers fit"), "{told}");
    assert!(result.contains("failed: unfit"), "{result}");
    assert_eq!(ended(&mut eval(&server, &["--requests", &calls, "--min-valid", "0"])).0, Some(0));
}

#[test]
fn mistakes_are_told_before_anything_is_asked() {
    let (server, files) = (server(), Files::new());
    let calls = files.journal(1);
    let refused = |command: &mut Command| {
        let (code, _, told) = ended(command);
        assert_eq!(code, Some(2), "{told}");
        told
    };
    let told = refused(&mut eval(&server, &["--requests", &files.write("none.jsonl", "\n")]));
    assert!(told.contains("no request to ask a model") && told.contains("analyst.keep_calls"), "{told}");
    let bad = files.write("bad.jsonl", &format!("{}{{}}\n", fs::read_to_string(&calls).expect("it exists")));
    assert!(refused(&mut eval(&server, &["--requests", &bad])).contains("line 2: it is no recorded call"));
    let prompt = files.prompt(|text| format!("model = 'x'\ntop_p = 1\n{text}"));
    let told = refused(&mut eval(&server, &["--requests", &calls, "--prompt", &prompt]));
    assert!(told.contains("- model: there is no such field") && told.contains("- top_p: there is"), "{told}");
    let same = files.prompt(|text| text.replace("You are", "You were"));
    let told = refused(&mut eval(&server, &["--requests", &calls, "--prompt", &same]));
    assert!(told.contains("live-insight version 1, which is this program's own prompt"), "{told}");
    let second =
        |be: &str| fs::read_to_string(&same).map(|text| text.replace("version = 1", "version = 2").replace("were", be));
    let [one, other] = [("one.toml", "are"), ("other.toml", "will be")]
        .map(|(name, be)| files.write(name, &second(be).expect("it exists")));
    let told = refused(&mut eval(&server, &["--requests", &calls, "--prompt", &one, "--against", &other]));
    assert!(told.contains("both prompts say that they are live-insight version 2"), "{told}");
    let told = refused(&mut tidemill(&["prompts", "eval", "--application", "chess", "--requests", &calls]));
    assert!(told.contains("no application 'chess'; the applications with prompts are live-insight and"), "{told}");
    let own = ["prompts", "eval", "--application", "live-insight", "--requests", &calls];
    assert!(refused(&mut tidemill(&own)).contains("set 'analyst.kind'"));
    let told = refused(tidemill(&own).args(["--analyst", "gemini"]));
    assert!(told.contains("the analyst gemini needs an API key"), "{told}");
    assert!(server.calls().is_empty());
}

/// A server that keeps one journal, for those with its token.
async fn journal_server(text: String) -> String {
    let lines = move |Path(app): Path<String>, Query(page): Query<Value>, headers: HeaderMap| async move {
        let problem = json!({ "error": "the token is missing", "fix": "send one" }).to_string();
        match headers.get("authorization") {
            Some(token) if token == "Bearer the-token-of-an-admin" => {
                assert_eq!((app.as_str(), &page["limit"]), ("live-insight", &json!("3")));
                (StatusCode::OK, text)
            }
            _ => (StatusCode::UNAUTHORIZED, problem),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let routes = Router::new().route("/state/calls/{application}/journal", get(lines));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_gives_its_journal_to_administrators() {
    let url = journal_server(journal(&live(3), |_| Some(mood("calm", 50)))).await;
    let server = server();
    let run = |token: &str| {
        let mut command = eval(&server, &["--url", &url, "--limit", "3"]);
        command.env("TIDEMILL_TOKEN", token);
        ended(&mut command)
    };
    let (code, result, told) = run("the-token-of-an-admin");
    assert!(code == Some(0) && result.contains("3 recorded requests"), "{told}");
    let (code, _, told) = run("another");
    assert!(code == Some(1) && told.contains("HTTP 401") && told.contains("the token is missing: send one"), "{told}");
    assert!(told.contains("admin = true"), "{told}");
}

#[cfg(unix)]
#[test]
fn an_interruption_prints_what_is_there_so_far() {
    let (server, files) = (server(), Files::new());
    server.change(|schedule| schedule.latency = Latency::steady(300));
    let calls = files.journal(8);
    let mut command = eval(&server, &["--requests", &calls, "--set", "analyst.in_flight=1"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    while server.calls().len() < 3 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("it can be asked");
    assert!(sent.success());
    let (code, result, said) = told(&child.wait_with_output().expect("it ends"));
    assert!(code == Some(1) && said.contains("interrupted: ") && said.contains(" of 8 requests were asked"), "{said}");
    assert!(result.contains(" of 8 recorded requests") && result.contains("fit at once"), "{result}");
}
