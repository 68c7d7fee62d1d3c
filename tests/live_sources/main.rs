//! Live sources: an address comes in, its chat is read once, whatever stops and starts in between.

#[path = "../common/mod.rs"]
mod common;
mod double;
mod evening;
mod hls;
mod kafka;
mod killed;
mod pressure;
mod server;
mod speech;
mod studio;

use serde_json::json;
use tidemill::transport::embedded::EmbeddedLog;

use crate::{
    common::until,
    double::Chat,
    server::{Client, WAIT, insights_of, settings, texts},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_until_it_ends() {
    let chat = Chat::default();
    let client = Client::start(settings(&chat)).await;
    let (status, answer) = client.post("/v1/streams", &json!({ "url": "https://chat.test/ada", "title": "Ada" })).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["stream_id"], "double-ada");
    assert_eq!(answer["source"]["platform"], "double");
    chat.says("ada", 3);
    client.until_state("double-ada", "connected").await;
    chat.end("ada");
    client.until_state("double-ada", "ended").await;
    assert_eq!(texts(&client, "double-ada"), ["0", "1", "2"]);
    let (_, one) = client.get("/v1/streams/double-ada").await;
    assert_eq!((&one["source"]["messages"], &one["source"]["title"]), (&json!(3), &json!("Ada")));
    // Nothing starts it again by itself; a person does.
    chat.says("ada", 1);
    let (status, _) = client.post("/v1/streams/double-ada/resume", &json!({})).await;
    assert_eq!(status, 200);
    until(WAIT, "the fourth message", async || texts(&client, "double-ada").len() == 4).await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_stream_goes_on_where_it_stopped() {
    let chat = Chat::default();
    let client = Client::start(settings(&chat)).await;
    client.post("/v1/streams", &json!({ "url": "https://chat.test/ada" })).await;
    chat.says("ada", 2);
    until(WAIT, "two messages", async || texts(&client, "double-ada").len() == 2).await;
    let (_, paused) = client.post("/v1/streams/double-ada/pause", &json!({})).await;
    assert_eq!(paused["source"]["state"], "paused");
    until(WAIT, "the connection closes", async || chat.connections() == 0).await;
    chat.says("ada", 2);
    client.post("/v1/streams/double-ada/resume", &json!({})).await;
    until(WAIT, "four messages", async || texts(&client, "double-ada").len() == 4).await;
    assert_eq!(texts(&client, "double-ada"), ["0", "1", "2", "3"]);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_nothing_and_brings_nothing_twice() {
    let chat = Chat::default();
    let log = EmbeddedLog::in_memory();
    let mut expected = Vec::new();
    for round in 0..3 {
        let client = Client::start_on(settings(&chat), &log).await;
        if round == 0 {
            client.post("/v1/streams", &json!({ "url": "https://chat.test/ada" })).await;
        }
        chat.says("ada", 50);
        expected.extend((expected.len()..).take(50).map(|number| number.to_string()).collect::<Vec<_>>());
        let wanted = expected.len() - 20;
        until(WAIT, "most messages", async || texts(&client, "double-ada").len() >= wanted).await;
        // The rest may be on its way.
        client.close().await;
    }
    let client = Client::start_on(settings(&chat), &log).await;
    until(WAIT, "all messages", async || texts(&client, "double-ada").len() >= expected.len()).await;
    assert_eq!(texts(&client, "double-ada"), expected);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_streams_of_an_instance_that_leaves_move_to_another() {
    let chat = Chat::default();
    let log = EmbeddedLog::in_memory();
    let first = Client::start_on(settings(&chat), &log).await;
    let ids: Vec<_> = (0..8).map(|number| format!("s{number}")).collect();
    for id in &ids {
        let asked = json!({ "url": format!("https://chat.test/{id}"), "stream_id": id });
        assert_eq!(first.post("/v1/streams", &asked).await.0, 201);
        chat.says(id, 5);
    }
    let second = Client::start_on(settings(&chat), &log).await;
    for id in &ids {
        until(WAIT, "five messages", async || texts(&first, id).len() == 5).await;
    }
    let (_, listed) = second.get("/v1/streams").await;
    assert_eq!(listed["streams"].as_array().map(Vec::len), Some(8), "every instance lists all: {listed}");
    first.close().await;
    for id in &ids {
        chat.says(id, 5);
        until(WAIT, "ten messages", async || texts(&second, id).len() == 10).await;
        assert_eq!(texts(&second, id), (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
    }
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_limit_of_waiting_records_slows_a_chat_down_and_loses_nothing() {
    let chat = Chat::default();
    let mut settings = settings(&chat);
    settings.limits.lag_records = 20;
    let client = Client::start(settings).await;
    client.post("/v1/streams", &json!({ "url": "https://chat.test/ada" })).await;
    chat.says("ada", 200);
    until(WAIT, "all messages", async || texts(&client, "double-ada").len() == 200).await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_messages_and_banned_viewers_leave_the_insights() {
    let chat = Chat::default();
    let client = Client::start(settings(&chat)).await;
    client.post("/v1/streams", &json!({ "url": "https://chat.test/ada" })).await;
    chat.says("ada", 4);
    chat.deletes("ada", 0);
    chat.bans("ada", 1);
    let insights = insights_of(&client, "double-ada").await;
    let left = |insight: &serde_json::Value| insight["top_chats"].as_array().map_or(0, Vec::len);
    let last = insights.last().expect("an insight");
    assert!(left(last) <= 2, "{last}");
    let text = last.to_string();
    assert!(!text.contains("\"user-1\""), "{text}");
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_platform_refuses_is_told_with_its_remedy() {
    let chat = Chat::default();
    let client = Client::start(settings(&chat)).await;
    chat.refuse("ada", true);
    client.post("/v1/streams", &json!({ "url": "https://chat.test/ada" })).await;
    let source = client.until_state("double-ada", "refused").await;
    assert_eq!((&source["reason"], &source["remedy"]), (&json!("the chat is closed"), &json!("open the chat")));
    chat.refuse("ada", false);
    chat.says("ada", 1);
    client.post("/v1/streams/double-ada/resume", &json!({})).await;
    until(WAIT, "the message", async || texts(&client, "double-ada").len() == 1).await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_stream_is_gone_and_its_connection_closed() {
    let chat = Chat::default();
    let client = Client::start(settings(&chat)).await;
    client.post("/v1/streams", &json!({ "url": "https://chat.test/ada" })).await;
    chat.says("ada", 3);
    until(WAIT, "the messages", async || texts(&client, "double-ada").len() == 3).await;
    let (status, answer) = client.send("DELETE", "/v1/streams/double-ada", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    until(WAIT, "the connection closes", async || chat.connections() == 0).await;
    assert_eq!(client.get("/v1/streams/double-ada").await.0, 404);
    let (_, listed) = client.get("/v1/streams").await;
    assert_eq!(listed["streams"], json!([]));
    until(WAIT, "the messages are deleted", async || texts(&client, "double-ada").is_empty()).await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_with_what_to_do() {
    let chat = Chat::default();
    let mut settings = settings(&chat);
    settings.sources.guard.allows_private = false;
    let client = Client::start(settings).await;
    for (asked, status, told) in [
        (json!({ "url": "nonsense" }), 422, "is no address"),
        (json!({ "url": "https://elsewhere.test/ada" }), 422, "belongs to no platform"),
        (json!({ "url": "http://127.0.0.1/chat.test", "platform": "double" }), 422, "inside this network"),
        (json!({ "url": "https://93.184.216.34/ada", "platform": "nobody" }), 422, "send one of: double"),
        (json!({ "url": "https://93.184.216.34/ada", "link": "x" }), 422, "unknown field `link`"),
        (json!({ "url": "https://a:b@93.184.216.34/ada", "platform": "double" }), 422, "holds a user"),
        (json!({ "url": "https://93.184.216.34/ada", "platform": "double", "stream_id": "." }), 422, "stream_id"),
        (json!({ "title": "Ada" }), 422, "missing field `url`"),
    ] {
        let (found, answer) = client.post("/v1/streams", &asked).await;
        assert_eq!(found, status, "{asked}: {answer}");
        assert!(answer.to_string().contains(told), "{asked}: {answer}");
    }
    for path in ["/v1/streams/nobody/pause", "/v1/streams/nobody/resume", "/v1/streams/nobody/stop"] {
        assert_eq!(client.post(path, &json!({})).await.0, 404);
    }
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_address_is_the_same_stream_and_another_one_has_another_name() {
    let chat = Chat::default();
    let client = Client::start(settings(&chat)).await;
    let asked = json!({ "url": "https://chat.test/ada" });
    assert_eq!(client.post("/v1/streams", &asked).await.0, 201);
    let (status, again) = client.post("/v1/streams", &asked).await;
    assert_eq!((status, &again["stream_id"]), (200, &json!("double-ada")));
    let (status, other) = client.post("/v1/streams", &json!({ "url": "https://chat.test/x/ada" })).await;
    assert_eq!((status, &other["stream_id"]), (201, &json!("double-ada-2")));
    let taken = json!({ "url": "https://chat.test/bob", "stream_id": "double-ada" });
    assert_eq!(client.post("/v1/streams", &taken).await.0, 409);
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_starts_streams_that_it_opens_and_no_others() {
    let chat = Chat::default();
    let mut settings = settings(&chat);
    settings.tenants = vec![server::tenant("team", "a-token-of-the-team", &["team-*"])];
    let mut client = Client::start(settings).await;
    let asked = json!({ "url": "https://chat.test/ada" });
    assert_eq!(client.post("/v1/streams", &asked).await.0, 401);
    client.token = Some("a-token-of-the-team");
    let client = client.ready().await;
    let (status, answer) = client.post("/v1/streams", &asked).await;
    assert_eq!((status, &answer["stream_id"]), (201, &json!("team-double-ada")));
    let other = json!({ "url": "https://chat.test/bob", "stream_id": "bob" });
    assert_eq!(client.post("/v1/streams", &other).await.0, 403);
    assert_eq!(client.post("/v1/streams/bob/stop", &json!({})).await.0, 403);
    client.close().await;
}
