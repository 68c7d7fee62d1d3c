//! On Kafka: an instance is killed, and the other goes on with its streams. Nothing is lost and nothing comes twice, by
//! the log of the chats' server.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tidemill::{Clock as _, SystemClock, transport::kafka::KafkaConfig};
use tidemill_apps::{
    apps::{http_client, live_insight},
    server::{Log, Settings},
};
use tidemill_broker::{Broker, Options};
use tidemill_chat_servers::{GenericServer, Kind, Line, Rates, Schedule};

use crate::{
    common::{Running, until},
    server::WAIT,
};

/// After so long the broker gives a silent instance up.
const SESSION: Duration = Duration::from_secs(3);
/// What opening may take: the group's new owner, its transaction, the connection. Machines that build are slow.
const OPENING: Duration = Duration::from_secs(45);
const STREAMS: usize = 8;

fn instance(brokers: &str) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["live-insight", "--brokers", brokers, "--listen", "127.0.0.1:0"]);
    for set in ["run.partitions=4", "sources.allow_private=true", "kafka.transaction_timeout=3s"] {
        command.args(["--set", set]);
    }
    Running::start(&mut command)
}

/// Chats whose viewers write until they are stopped.
struct Chats {
    servers: Vec<GenericServer>,
    is_over: AtomicBool,
}

impl Chats {
    fn open() -> Arc<Self> {
        // Some answers tell some of the past again. An answer takes what was written meanwhile, however slow the log is.
        let rates = Rates { replayed: 0.3, ..Rates::default() };
        let schedule = |seed| Schedule { seed, rates, most: 200, pause_ms: 100, ..Schedule::default() };
        let server = |seed| GenericServer::start(schedule(seed));
        Arc::new(Self { servers: (0..STREAMS as u64).map(server).collect(), is_over: AtomicBool::new(false) })
    }

    async fn write(self: Arc<Self>) {
        for number in 0.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            for server in &self.servers {
                let (id, text) = (format!("m{number}"), format!("message {number}"));
                let (user_id, user_name) = (format!("u{}", number % 7), format!("Viewer {}", number % 7));
                let (shown, at_ms) = (text.clone(), SystemClock.now_ms());
                server.post([Line { id, user_id, user_name, text, shown, kind: Kind::Text, at_ms }]);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn posted(&self) -> BTreeMap<String, Vec<String>> {
        let ids = |server: &GenericServer| server.log().posted.into_iter().map(|line| line.id).collect();
        self.servers.iter().enumerate().map(|(number, server)| (format!("s{number}"), ids(server))).collect()
    }
}

/// The ids of messages by stream, in the order of the log.
async fn written(log: &Log) -> BTreeMap<String, Vec<String>> {
    let log = log.clone();
    let read = move || {
        let mut streams = BTreeMap::<String, Vec<String>>::new();
        for value in log.read_all(live_insight::CHAT).expect("reads").into_iter().filter_map(|(_, record)| record.value)
        {
            let value: Value = serde_json::from_slice(&value).expect("JSON");
            let text = |name: &str| value[name].as_str().expect("text").to_owned();
            streams.entry(text("stream_id")).or_default().push(text("id"));
        }
        streams
    };
    tokio::task::spawn_blocking(read).await.expect("ends")
}

/// Waits until so many more messages of each stream are written than there were.
async fn until_all_go_on(log: &Log, before: &BTreeMap<String, Vec<String>>) {
    until(WAIT, "all streams go on", async || {
        let now = written(log).await;
        let had = |id: &str| before.get(id).map_or(0, Vec::len);
        (0..STREAMS).map(|number| format!("s{number}")).all(|id| now.get(&id).map_or(0, Vec::len) >= had(&id) + 20)
    })
    .await;
}

async fn until_ready(http: &reqwest::Client, running: &Running) {
    let url = format!("{}/v1/streams/nobody", running.url);
    let is_ready = async || http.get(&url).send().await.is_ok_and(|response| response.status() == 404);
    until(WAIT, "the sources are read", is_ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_streams_of_a_killed_instance_go_on_at_the_other_and_each_message_comes_once() {
    let Some(broker) = Broker::start(Options::new().session_timeout_ms(SESSION.as_millis() as u32)) else { return };
    let (brokers, http) = (broker.bootstrap_servers(), http_client(WAIT).expect("a client"));
    let chats = Chats::open();
    let (mut goes, mut stays) = (instance(&brokers), instance(&brokers));
    for running in [&goes, &stays] {
        until_ready(&http, running).await;
    }
    for (number, chat) in chats.servers.iter().enumerate() {
        let options = json!({ "fields": { "timestamp": "time" } });
        let asked = json!({ "url": chat.polled(), "stream_id": format!("s{number}"), "options": options });
        let response = http.post(format!("{}/v1/streams", stays.url)).json(&asked).send().await.expect("answers");
        assert_eq!(response.status(), 201);
    }
    let settings = Settings { kafka: Some(KafkaConfig::new(&brokers)), ..Settings::default() };
    let log = tokio::task::spawn_blocking(move || Log::open(&settings).expect("answers")).await.expect("ends");
    let writing = tokio::spawn(chats.clone().write());
    until_all_go_on(&log, &BTreeMap::new()).await;

    // Either instance is killed once, so each stream is left once, in the middle of whatever it does.
    for _ in 0..2 {
        goes.kill();
        let (killed, before) = (Instant::now(), written(&log).await);
        until_all_go_on(&log, &before).await;
        let took = killed.elapsed();
        eprintln!("all streams go on {took:?} after the kill");
        assert!(took < SESSION + OPENING, "{took:?}");
        goes = std::mem::replace(&mut stays, instance(&brokers));
        until_ready(&http, &stays).await;
    }

    chats.is_over.store(true, Ordering::SeqCst);
    writing.await.expect("ends");
    chats.servers.iter().for_each(GenericServer::end);
    let posted = chats.posted();
    let size = |streams: &BTreeMap<String, Vec<String>>| streams.values().map(Vec::len).sum::<usize>();
    until(WAIT, "all messages", async || size(&written(&log).await) >= size(&posted)).await;
    goes.kill();
    stays.kill();
    for (id, ids) in written(&log).await {
        assert!(posted[&id] == ids, "{id}: {} of {} messages, in the order of the chat", ids.len(), posted[&id].len());
    }
}
