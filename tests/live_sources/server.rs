//! A server that reads the double's streams, and what it wrote.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tidemill::transport::embedded::EmbeddedLog;
use tidemill_apps::{
    apps::{Windows, http_client, live_insight},
    server::{Log, Server, Settings, SourceSettings, Tenant},
    sources::{Guard, Keys, Platforms, SpeechSettings},
};

use crate::{common::until, double::Chat};

pub(crate) const WAIT: Duration = Duration::from_mins(1);

/// Short windows, so that tests need not wait.
pub(crate) fn settings(chat: &Chat) -> Settings {
    let mut settings = Settings { listen: ([127, 0, 0, 1], 0).into(), partitions: 2, ..Settings::default() };
    settings.apps = vec![&live_insight::APPLICATION];
    let short = Duration::from_millis(200);
    let windows = settings.windows_mut(&live_insight::APPLICATION);
    *windows = Windows { window: Duration::from_secs(1), grace: short, idle_after: short, ..*windows };
    settings.sources = SourceSettings {
        enabled: true,
        guard: Guard { allows_private: true },
        keys: Keys::default(),
        speech: SpeechSettings::default(),
        platforms: Some(Platforms::none().with(chat.clone())),
    };
    settings
}

pub(crate) fn tenant(name: &str, token: &str, streams: &[&str]) -> Arc<Tenant> {
    Arc::new(Tenant {
        name: name.to_owned(),
        token: token.to_owned(),
        owners: [("streams", streams.iter().map(|id| (*id).to_owned()).collect())].into(),
        admin: false,
        records_per_second: None,
        body_bytes: None,
    })
}

pub(crate) struct Client {
    pub(crate) server: Arc<Server>,
    http: reqwest::Client,
    pub(crate) token: Option<&'static str>,
}

impl Client {
    pub(crate) async fn start(settings: Settings) -> Self {
        let server = Server::start(settings).await.expect("starts");
        let client = Self { server, http: http_client(WAIT).expect("a client"), token: None };
        client.ready().await
    }

    pub(crate) async fn start_on(settings: Settings, log: &EmbeddedLog) -> Self {
        let log = Log::embedded(log.clone()).expect("a log");
        let server = Server::start_on(settings, log).await.expect("starts");
        let client = Self { server, http: http_client(WAIT).expect("a client"), token: None };
        client.ready().await
    }

    /// Waits until the sources are read.
    pub(crate) async fn ready(self) -> Self {
        // One of them is open to the tenant of a test.
        for nobody in ["nobody", "team-nobody", "double-nobody"] {
            let path = format!("/v1/streams/{nobody}");
            until(WAIT, "the sources are read", async || self.get(&path).await.0 != 503).await;
        }
        self
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("http://{}{path}", self.server.address());
        let request = self.http.request(method.parse().expect("a method"), url);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let request = match self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.expect("answers");
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send("POST", path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, &json!({})).await
    }

    /// Waits until a stream has a state, and returns its source.
    pub(crate) async fn until_state(&self, id: &str, state: &str) -> Value {
        let source = async || self.get(&format!("/v1/streams/{id}")).await.1["source"].clone();
        until(WAIT, state, async || source().await["state"] == state).await;
        source().await
    }

    /// A response as it comes.
    pub(crate) async fn fetch(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let request = self.http.get(format!("http://{}{path}", self.server.address()));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.expect("answers")
    }

    pub(crate) async fn close(&self) {
        self.server.close().await.expect("closes");
    }
}

/// The texts of a stream's chat, in the order of the log.
pub(crate) fn texts(client: &Client, id: &str) -> Vec<String> {
    let records = client.server.engine().log().read_all(live_insight::CHAT).expect("reads");
    let mine = records.into_iter().filter(|(_, record)| record.key.as_deref() == Some(id.as_bytes()));
    mine.map(|(_, record)| {
        let value: Value = serde_json::from_slice(&record.value.expect("a value")).expect("JSON");
        value["text"].as_str().expect("a text").to_owned()
    })
    .collect()
}

/// The insights of a stream, when there is one.
pub(crate) async fn insights_of(client: &Client, id: &str) -> Vec<Value> {
    let read = || {
        let records = client.server.engine().log().read_all(live_insight::INSIGHTS).expect("reads");
        let values = records.into_iter().filter_map(|(_, record)| serde_json::from_slice::<Value>(&record.value?).ok());
        values.filter(|value| value["stream_id"] == id).collect::<Vec<_>>()
    };
    until(WAIT, "an insight", async || !read().is_empty()).await;
    read()
}
