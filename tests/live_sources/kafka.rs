//! On Kafka: instances share the streams, and what one leaves the other goes on with.

use serde_json::json;
use tidemill::transport::kafka::KafkaConfig;
use tidemill_broker::{Broker, Options};

use crate::{
    common::until,
    double::Chat,
    server::{Client, WAIT, settings, texts},
};

#[tokio::test(flavor = "multi_thread")]
async fn on_kafka_streams_move_and_each_message_comes_once() {
    let Some(broker) = Broker::start(Options::new().session_timeout_ms(3000)) else { return };
    let chat = Chat::default();
    let start = async || {
        let mut settings = settings(&chat);
        settings.kafka = Some(KafkaConfig::new(broker.bootstrap_servers()));
        Client::start(settings).await
    };
    let (first, second) = (start().await, start().await);
    let ids: Vec<_> = (0..6).map(|number| format!("s{number}")).collect();
    for id in &ids {
        let asked = json!({ "url": format!("https://chat.test/{id}"), "stream_id": id });
        assert_eq!(first.post("/v1/streams", &asked).await.0, 201);
        chat.says(id, 20);
    }
    for id in &ids {
        until(WAIT, "twenty messages", async || texts(&second, id).len() >= 20).await;
        second.until_state(id, "connected").await;
        chat.says(id, 20);
    }
    first.close().await;
    let expected: Vec<_> = (0..60).map(|number| number.to_string()).collect();
    for id in &ids {
        chat.says(id, 20);
        until(WAIT, "all messages", async || texts(&second, id).len() >= expected.len()).await;
        assert_eq!(texts(&second, id), expected);
    }
    second.close().await;
}
