//! Chat files of the usual programs are read, and a reader goes on where another one stopped.

#![allow(clippy::unwrap_used)]

mod harness;

use std::{fs, path::Path, sync::Arc};

use harness::{START, clock, read, read_until, source};
use serde_json::{Value, json};
use tidemill_chat::{ChatError, ChatEvent, Generic, Membership, MembershipKind, Message, Platform};

async fn events(folder: &Path, file: &str) -> Vec<ChatEvent> {
    let clock = clock();
    let platform = Arc::new(Generic::new().files(folder).clock(clock.clone()));
    let source = source("https://ada.example/stream").option("chat", file);
    let read = read(platform, &source, clock, Some(1)).await;
    assert!(read.reasons().is_empty(), "{:?}", read.reasons());
    read.events
}

fn message(event: &ChatEvent) -> &Message {
    let ChatEvent::Message(message) = event else { panic!("{event:?}") };
    message
}

fn lines(values: &[Value]) -> String {
    let lines: Vec<String> = values.iter().map(Value::to_string).collect();
    lines.join("\n")
}

fn action(kind: &str, mut item: Value) -> Value {
    item["authorName"] = json!({ "simpleText": "Ada" });
    item["authorExternalChannelId"] = json!("UC1");
    item["timestampUsec"] = json!((START * 1_000).to_string());
    let add = json!({ "addChatItemAction": { "item": { kind: item } } });
    json!({ "replayChatItemAction": { "actions": [add], "videoOffsetTimeMsec": "1" } })
}

#[tokio::test]
async fn a_file_of_yt_dlp_brings_texts_money_members_and_withdrawals() {
    let folder = tempfile::tempdir().unwrap();
    let emoji = json!([
        { "text": "hi " },
        { "emoji": { "emojiId": "😀", "shortcuts": [":grinning:"] } },
        { "emoji": { "emojiId": "UC1/x", "isCustomEmoji": true, "shortcuts": [":_hype:"] } },
    ]);
    let banned = json!({ "removeChatItemByAuthorAction": { "externalChannelId": "UC9" } });
    let deleted = json!({ "markChatItemAsDeletedAction": { "targetItemId": "a" } });
    let file = lines(&[
        action("liveChatTextMessageRenderer", json!({ "id": "a", "message": { "runs": emoji } })),
        action("liveChatPaidMessageRenderer", json!({ "id": "b", "purchaseAmountText": { "simpleText": "CA$5.00" } })),
        action(
            "liveChatMembershipItemRenderer",
            json!({ "id": "c", "headerPrimaryText": { "runs": [{ "text": "Member for " }, { "text": "7 months" }] } }),
        ),
        json!({ "replayChatItemAction": { "actions": [deleted] } }),
        json!({ "replayChatItemAction": { "actions": [banned] } }),
        // What a program wrote when it was stopped.
        json!("{\"replayChat"),
    ]);
    fs::write(folder.path().join("live_chat.json"), file).unwrap();
    let events = events(folder.path(), "live_chat.json").await;
    assert_eq!((message(&events[0]).text.as_str(), message(&events[0]).timestamp_ms), ("hi 😀:_hype:", START));
    let amount = message(&events[1]).amount.as_ref().unwrap();
    assert_eq!((amount.micros, amount.currency.as_str()), (5_000_000, "CAD"));
    let milestone = Membership { kind: MembershipKind::Milestone, months: Some(7), count: None };
    assert_eq!(message(&events[2]).membership, Some(milestone));
    assert_eq!(events[3], ChatEvent::Deleted { message_id: "a".into() });
    assert!(matches!(&events[4], ChatEvent::Banned { user_id, .. } if user_id == "UC9"));
    assert_eq!(events.len(), 5);
}

#[tokio::test]
async fn documents_of_downloaders_are_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let comments: Vec<Value> = (0..450)
        .map(|number| {
            json!({
                "_id": format!("t{number}"),
                "created_at": "2026-01-01T00:00:00.5Z",
                "commenter": { "_id": "7", "display_name": "Ada" },
                "message": { "body": "Kappa", "bits_spent": if number == 3 { 100 } else { 0 } },
            })
        })
        .collect();
    let pretty = serde_json::to_string_pretty(&json!({ "comments": comments, "streamer": { "id": 1 } })).unwrap();
    fs::write(folder.path().join("twitch.json"), pretty).unwrap();
    let of_twitch = events(folder.path(), "twitch.json").await;
    assert_eq!(of_twitch.len(), 450);
    assert_eq!(message(&of_twitch[3]).amount.as_ref().unwrap().micros, 1_000_000);
    assert_eq!(message(&of_twitch[0]).timestamp_ms, START + 500);

    let money = json!({ "amount": 4.99, "currency": "EUR", "text": "€4.99" });
    let chat = json!([
        { "message_id": "x", "message": "hi", "timestamp": START * 1_000, "author": { "id": "1", "name": "Ada" } },
        { "message_id": "y", "message": null, "money": money, "timestamp": START * 1_000, "author": { "id": "2", "name": "Bo" } },
    ]);
    fs::write(folder.path().join("chat.json"), chat.to_string()).unwrap();
    let of_downloader = events(folder.path(), "chat.json").await;
    assert_eq!(message(&of_downloader[0]).timestamp_ms, START);
    assert_eq!(message(&of_downloader[1]).amount.as_ref().unwrap().micros, 4_990_000);
}

#[tokio::test]
async fn a_file_that_grows_is_followed_and_no_half_line_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.jsonl");
    fs::write(&path, "{\"id\":\"1\",\"user\":\"ada\",\"text\":\"a\"}\n{\"id\":\"2\",\"user\":\"a").unwrap();
    let clock = clock();
    let platform = Arc::new(Generic::new().files(folder.path()).clock(clock.clone()));
    let source = source("https://ada.example").option("chat", "chat.jsonl").option("follow", true);
    let reading = tokio::spawn(async move { read_until(platform, &source, clock, Some(1), 3).await });
    tokio::task::yield_now().await;
    let rest = "da\",\"text\":\"b\"}\n{\"id\":\"3\",\"user\":\"ada\",\"text\":\"c\"}\n";
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, rest.as_bytes()).unwrap();
    let events = reading.await.unwrap().events;
    assert_eq!(events.iter().map(|event| message(event).text.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[tokio::test]
async fn only_files_of_the_folder_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("chats")).unwrap();
    fs::write(folder.path().join("other"), "{}").unwrap();
    let files = Generic::new().files(folder.path().join("chats"));
    for (platform, file) in [
        (&files, "../other"),
        (&files, "/etc/passwd"),
        (&files, "file:///etc/passwd"),
        (&files, "none.json"),
        (&Generic::new(), "other"),
        (&files, "ftp://ada.example/chat"),
    ] {
        let source = source("https://ada.example").option("chat", file);
        let error = platform.open(&source, None).await.err();
        assert!(matches!(error, Some(ChatError::Refused { .. })), "{file}: {error:?}");
    }
}
