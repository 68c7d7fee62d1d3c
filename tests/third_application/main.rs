//! An application that the server has never heard of runs on it: one value says everything about it.

mod notes;

use std::{sync::Arc, time::Duration};

use notes::{NOTES, TWIN, written};
use serde_json::{Value, json};
use tidemill::{Clock as _, SystemClock};
use tidemill_apps::{
    apps::http_client,
    server::{Server, Settings, Tenant},
};

const WAIT: Duration = Duration::from_mins(1);

struct Client {
    server: Arc<Server>,
    http: reqwest::Client,
    token: Option<&'static str>,
}

impl Client {
    async fn start(tenants: Vec<Arc<Tenant>>) -> Self {
        let listen = ([127, 0, 0, 1], 0).into();
        let settings = Settings { listen, partitions: 2, tenants, ..Settings::of(vec![&NOTES]) };
        let server = Server::start(settings).await.expect("starts");
        Self { server, http: http_client(WAIT).expect("a client"), token: None }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> reqwest::Response {
        let url = format!("http://{}{path}", self.server.address());
        let mut request = self.http.request(method.parse().expect("a method"), url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        request.send().await.expect("answers")
    }

    async fn json(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.ask(method, path, body).await;
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.json("GET", path, None).await
    }

    /// What the author's page gets, up to an event with so many words.
    async fn events_up_to(&self, author: &str, words: u64) -> String {
        let mut response = self.ask("GET", &format!("/v1/authors/{author}/events?after=0"), None).await;
        let mut text = String::new();
        let read = async {
            while !text.contains(&format!("\"words\":{words}}}")) {
                let chunk = response.chunk().await.expect("reads").expect("goes on");
                text.push_str(std::str::from_utf8(&chunk).expect("text"));
            }
        };
        tokio::time::timeout(WAIT, read).await.expect("events come in time");
        text
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_input_shows_results_lists_its_owners_and_forgets() {
    let client = Client::start(Vec::new()).await;
    let now = SystemClock.now_ms();
    let notes = json!([written("ada", "to be or not", now), written("bob", "hello", now)]);
    assert_eq!(client.json("POST", "/v1/notes", Some(notes)).await, (202, json!({ "accepted": 2 })));
    client.json("POST", "/v1/notes", Some(written("ada", "to be", now + 5_000))).await;
    assert_eq!(client.json("PUT", "/v1/authors/ada/goal", Some(json!(100))).await.0, 204);
    let (status, problem) = client.json("POST", "/v1/notes", Some(json!({ "author": "ada" }))).await;
    assert_eq!((status, &problem["records"][0]["fix"]), (422, &json!("send author, text and timestamp")));

    let events = client.events_up_to("ada", 6).await;
    assert_eq!(events.matches("event: counted").count(), 2, "{events}");
    assert_eq!(client.get("/v1/authors").await.1, json!({ "authors": [{ "author": "ada" }, { "author": "bob" }] }));
    assert_eq!(client.get("/state/stores/words/ada").await.1["value"], 6);
    assert_eq!(client.get("/state/stores/goals/ada").await.1["value"], 100);

    let (status, erased) = client.json("DELETE", "/v1/authors/ada", None).await;
    let erased = &erased["erased"];
    assert_eq!((status, &erased["requests"], &erased["results"]), (200, &json!(0), &json!(2)));
    // The goal goes with the erasure or with its own deletion, whichever is processed first.
    assert!(erased["rows"] == 1 || erased["rows"] == 2, "{erased}");
    assert_eq!(client.get("/state/stores/goals/ada").await.0, 404);
    assert_eq!(client.get("/v1/authors").await.1, json!({ "authors": [{ "author": "bob" }] }));
    assert_eq!(client.get("/state/stores/words/ada").await.0, 404);
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_its_analysis_cannot_take_goes_to_the_dead_letters_and_the_others_go_on() {
    let client = Client::start(Vec::new()).await;
    let now = SystemClock.now_ms();
    let notes = json!([written("ada", "to be", now), written("ada", "boom", now), written("ada", "or not to be", now)]);
    assert_eq!(client.json("POST", "/v1/notes", Some(notes)).await.0, 202);
    client.events_up_to("ada", 6).await;
    let log = client.server.engine().log().clone();
    let letters = tokio::task::spawn_blocking(move || log.read_all(NOTES.dead_letters)).await.expect("ends");
    let letters: Vec<_> = letters.expect("it exists").into_iter().filter_map(|(_, letter)| letter.value).collect();
    assert!(letters.len() == 1 && String::from_utf8_lossy(&letters[0]).contains("boom"), "{letters:?}");
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_described_and_has_a_page_and_others_are_said_not_to_run() {
    let client = Client::start(Vec::new()).await;
    let (_, state) = client.get("/state").await;
    assert_eq!((&state[0]["application"], &state[0]["stores"]), (&json!("word-notes"), &json!(["goals", "words"])));
    let topology = state[0]["topology"].as_str().expect("text");
    assert!(["count-words", "erase-author", "note-counts"].iter().all(|part| topology.contains(part)), "{topology}");
    assert_eq!(state[0]["calls"]["attempts"], 0, "it has no analyst");
    let page = client.ask("GET", "/notes/ada", None).await.text().await.expect("text");
    assert_eq!(page, "<h1>Notes</h1>");
    let (status, problem) = client.json("POST", "/v1/chat", Some(json!({}))).await;
    assert_eq!((status, &problem["error"]), (404, &json!("live-insight does not run here")));
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_its_own_authors_only() {
    let token = "token-of-ada-0001";
    let ada = Tenant {
        name: "ada".to_owned(),
        token: token.to_owned(),
        owners: [("authors", vec!["ada".to_owned()])].into(),
        admin: false,
        records_per_second: None,
        body_bytes: None,
    };
    let mut client = Client::start(vec![Arc::new(ada)]).await;
    client.token = Some(token);
    let now = SystemClock.now_ms();
    assert_eq!(client.json("POST", "/v1/notes", Some(written("ada", "hi", now))).await.0, 202);
    let (status, problem) = client.json("POST", "/v1/notes", Some(written("bob", "hi", now))).await;
    assert_eq!((status, &problem["error"]), (403, &json!("the token does not open this author")));
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_applications_with_the_same_addresses_are_refused() {
    let listen = ([127, 0, 0, 1], 0).into();
    let settings = Settings { listen, ..Settings::of(vec![&NOTES, &TWIN]) };
    let refused = Server::start(settings).await.err().expect("refused").to_string();
    assert!(refused.contains("the applications word-notes and twin-notes both use '/v1/notes'"), "{refused}");
}
