//! Both applications with Avro on their topics and JSON on their pages.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemill::{
    Clock as _, SystemClock, partition_for,
    state::Codec as _,
    transport::{
        embedded::{EmbeddedLog, Entry},
        kafka::KafkaConfig,
    },
};
use tidemill_apps::{
    apps::{Windows, form_coach, http_client, live_insight},
    server::{FormatChoice, Log, Server, Settings},
};
use tidemill_broker::Broker;
use tidemill_schemas::avro::{AvroEvent, Registry, RegistrySettings, Schema, Subject};

use crate::{WAIT, registry::registry, switch::Switch};

struct Client {
    server: Arc<Server>,
    http: reqwest::Client,
}

impl Client {
    /// Applications whose windows close soon, so that tests need not wait.
    async fn start(url: String, log: EmbeddedLog) -> Self {
        let shared = Log::embedded(log).expect("threads can be started");
        let server = Server::start_on(Self::settings(url), shared).await.expect("starts");
        Self { server, http: http_client(WAIT).expect("a client") }
    }

    async fn start_on_kafka(url: String, brokers: &str) -> Self {
        let settings = Settings { kafka: Some(KafkaConfig::new(brokers)), ..Self::settings(url) };
        let server = Server::start(settings).await.expect("starts");
        Self { server, http: http_client(WAIT).expect("a client") }
    }

    fn settings(url: String) -> Settings {
        let format = FormatChoice::Avro(RegistrySettings::new(url));
        let mut settings =
            Settings { listen: ([127, 0, 0, 1], 0).into(), partitions: 2, format, ..Settings::default() };
        let short = Duration::from_millis(200);
        let live = settings.windows_mut(&live_insight::APPLICATION);
        *live = Windows { window: Duration::from_secs(1), grace: short, idle_after: short, ..*live };
        let coach = settings.windows_mut(&form_coach::APPLICATION);
        (coach.window, coach.idle_after) = (Duration::from_secs(1), short);
        settings
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    async fn send(&self, method: &str, path: &str, body: &Value) {
        let request = self.http.request(method.parse().expect("a method"), self.url(path)).json(body);
        let status = request.send().await.expect("answers").status();
        assert!(status.is_success(), "{method} {path}: {status}");
    }

    async fn get(&self, path: &str) -> Value {
        self.http.get(self.url(path)).send().await.expect("answers").json().await.expect("JSON")
    }

    /// The first result of this kind that a page gets.
    async fn first(&self, path: &str, kind: &str) -> Value {
        let mut response = self.http.get(self.url(path)).send().await.expect("answers");
        let mut text = String::new();
        let read = async {
            loop {
                let chunk = response.chunk().await.expect("reads").expect("goes on");
                text.push_str(std::str::from_utf8(&chunk).expect("text"));
                for event in text.split("\n\n").filter(|event| event.contains(&format!("event: {kind}\n"))) {
                    if let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: "))
                        && let Ok(data) = serde_json::from_str(data)
                    {
                        return data;
                    }
                }
            }
        };
        tokio::time::timeout(WAIT, read).await.expect("results come in time")
    }

    /// The values of a topic, as they are on the log.
    async fn values(&self, topic: &'static str) -> Vec<Bytes> {
        let log = self.server.engine().log().clone();
        let records = tokio::task::spawn_blocking(move || log.read_all(topic).expect("it exists"));
        records.await.expect("ends").into_iter().filter_map(|(_, record)| record.value).collect()
    }
}

fn now() -> i64 {
    SystemClock.now_ms()
}

fn chat(text: &str, timestamp: i64) -> Value {
    json!({ "stream_id": "ada", "user_id": "u1", "text": text, "timestamp": timestamp })
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_hold_avro_and_pages_get_json() {
    let Some(registry) = registry() else { return };
    hold_avro_and_give_json(Client::start(registry.url(), EmbeddedLog::in_memory()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_of_kafka_hold_avro_and_pages_get_json() {
    let (Some(registry), Some(broker)) = (registry(), Broker::shared()) else { return };
    hold_avro_and_give_json(Client::start_on_kafka(registry.url(), &broker.bootstrap_servers()).await).await;
}

async fn hold_avro_and_give_json(client: Client) {
    client.send("PUT", "/v1/users/bo/profile", &json!({ "height_cm": 178.0, "level": "advanced" })).await;
    client.send("POST", "/v1/chat", &json!([chat("wow!", now()), chat("again!", now())])).await;
    client.send("POST", "/v1/transcript", &json!({ "stream_id": "ada", "text": "hi", "timestamp": now() })).await;
    let landmarks: Vec<_> = (0..33).map(|part| json!({ "part": part, "x": 0.5, "y": 0.5, "z": 0.0 })).collect();
    let frame = json!({ "user_id": "bo", "timestamp": now(), "exercise": "squat", "landmarks": landmarks });
    client.send("POST", "/v1/pose", &frame).await;

    let insight = client.first("/v1/streams/ada/events?after=0", "insight").await;
    assert_eq!((&insight["stream_id"], &insight["analyst"]), (&json!("ada"), &json!("offline")));
    assert_eq!(insight["provenance"]["outcome"], "offline", "{insight}");
    let feedback = client.first("/v1/users/bo/events?after=0", "feedback").await;
    assert_eq!(feedback["provenance"]["outcome"], "offline", "{feedback}");
    assert_eq!((&feedback["user_id"], &feedback["exercise"]), (&json!("bo"), &json!("squat")));
    let profile = client.get("/state/stores/profiles/bo").await;
    assert_eq!(profile["value"]["level"], "advanced", "state stays readable: {profile}");

    for topic in ["live-chat", "live-transcript", "live-insights", "coach-pose", "coach-profiles", "coach-feedback"] {
        let values = client.values(topic).await;
        assert!(!values.is_empty() && values.iter().all(|value| value[0] == 0), "{topic}: {values:?}");
    }
    for topic in ["live-dead-letters", "coach-dead-letters"] {
        assert!(client.values(topic).await.is_empty(), "{topic}");
    }
    client.server.close().await.expect("closes");
}

/// A chat message of a program that is ahead of this one.
#[derive(Serialize, Deserialize)]
struct NewerChat {
    emotes: Vec<String>,
    stream_id: String,
    user_id: String,
    text: String,
    timestamp: i64,
}

impl AvroEvent for NewerChat {
    const SCHEMA: &'static str = r#"{
        "type": "record", "name": "ChatMessage", "namespace": "tidemill.live",
        "fields": [
            { "name": "emotes", "type": { "type": "array", "items": "string" }, "default": [] },
            { "name": "stream_id", "type": "string" }, { "name": "user_id", "type": "string" },
            { "name": "text", "type": "string" },
            { "name": "timestamp", "type": { "type": "long", "logicalType": "timestamp-millis" } }
        ]
    }"#;

    fn schema() -> &'static Schema {
        static PARSED: std::sync::LazyLock<Schema> =
            std::sync::LazyLock::new(|| Schema::parse_str(NewerChat::SCHEMA).expect("a schema"));
        &PARSED
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_while_the_registry_is_away_and_none_is_lost_or_given_up() {
    let Some(registry) = registry() else { return };
    let switch = Switch::to(registry.address);
    let log = EmbeddedLog::in_memory();
    let client = Client::start(switch.url(), log.clone()).await;
    let newer = Registry::new(RegistrySettings::new(registry.url())).expect("a client");
    newer.prepare(vec![Subject::of::<NewerChat>("live-chat")]).expect("compatible");
    switch.cut();

    let at = now();
    let ahead = NewerChat {
        emotes: vec!["wow".to_owned()],
        stream_id: "ada".to_owned(),
        user_id: "u2".to_owned(),
        text: "from the future".to_owned(),
        timestamp: at,
    };
    let value = newer.codec::<NewerChat>("live-chat").encode(&ahead).expect("encoded").expect("no null");
    log.append("live-chat", partition_for(Some(b"ada"), 2), [Entry::new("ada", value, at)]).expect("appended");
    // Behind it comes what could be read: it must not overtake.
    client.send("POST", "/v1/chat", &chat("from today", at)).await;

    let waits = || async {
        loop {
            let tasks = client.get("/state/tasks").await;
            let partitions = tasks.as_array().into_iter().flatten().filter_map(|task| task["partitions"].as_array());
            let found = partitions.flatten().find_map(|input| input["waits_for"].as_str().map(ToOwned::to_owned));
            if let Some(reason) = found.filter(|reason| reason.contains("not available")) {
                return reason;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let reason = tokio::time::timeout(WAIT, waits()).await.expect("the task says what it waits for");
    assert!(reason.starts_with("schema "), "{reason}");
    assert!(client.values("live-insights").await.is_empty() && client.values("live-dead-letters").await.is_empty());

    switch.mend();
    let insight = client.first("/v1/streams/ada/events?after=0", "insight").await;
    assert_eq!(insight["chats"], 2, "both, in one window: {insight}");
    assert!(client.values("live-dead-letters").await.is_empty());
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_registry_the_applications_do_not_start() {
    let settings = RegistrySettings { patience: Duration::ZERO, ..RegistrySettings::new("http://127.0.0.1:1") };
    let settings =
        Settings { listen: ([127, 0, 0, 1], 0).into(), format: FormatChoice::Avro(settings), ..Settings::default() };
    let error = Server::start(settings).await.err().expect("refused").to_string();
    assert!(error.contains("the schemas have 1 problem(s)") && error.contains("http://127.0.0.1:1"), "{error}");
}
