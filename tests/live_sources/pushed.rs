//! What a page's WebSocket tells of a source.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::{
    double::Chat,
    server::{Client, WAIT, settings},
};

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_a_source_is_pushed() {
    let chat = Chat::default();
    let client = Client::start(settings(&chat)).await;
    let url = format!("ws://{}/v1/streams/double-ada/socket", client.server.address());
    let (mut page, _) = connect_async(url).await.expect("opens");
    let mut source = async || loop {
        let message = timeout(WAIT, page.next()).await.expect("in time").expect("goes on").expect("reads");
        if let Message::Text(text) = message {
            let mut message: Value = serde_json::from_str(&text).expect("JSON");
            if message["push"] == "source" {
                return message["data"].take();
            }
        }
    };
    assert_eq!(source().await, Value::Null, "nobody has started it");
    client.post("/v1/streams", &json!({ "url": "https://chat.test/ada", "title": "Ada" })).await;
    let mut until = async |state: &str, messages: u64| loop {
        let source = source().await;
        if source["state"] == state && source["messages"].as_u64().unwrap_or_default() >= messages {
            return source;
        }
    };
    chat.says("ada", 3);
    assert_eq!(until("connected", 3).await["title"], "Ada");
    client.post("/v1/streams/double-ada/pause", &json!({})).await;
    until("paused", 3).await;
    client.post("/v1/streams/double-ada/resume", &json!({})).await;
    until("connected", 3).await;
    chat.end("ada");
    until("ended", 3).await;
    client.send("DELETE", "/v1/streams/double-ada", &json!({})).await;
    let mut gone = async || while !source().await.is_null() {};
    timeout(WAIT, gone()).await.expect("the erasure is pushed");
    // A page that is open does not delay the end.
    timeout(Duration::from_secs(30), client.close()).await.expect("closes in time");
}
