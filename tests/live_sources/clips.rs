//! A part of a live stream is asked for, cut and downloaded, and goes with the stream.

use std::{process::Command, sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};
use tidemill::{Clock as _, SystemClock, transport::embedded::EmbeddedLog};
use tidemill_apps::server::Settings;
use tidemill_hls_server::{Content, Difference, HlsServer, Line, Schedule, Video};
use tokio::time::timeout;
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::{
    common::until,
    double::Chat,
    server::{Client, WAIT, settings, tenant},
};

const CLIPS: &str = "/v1/streams/double-ada/clips";

/// Whether the programs are installed.
fn is_there() -> bool {
    let programs = ["ffmpeg", "ffprobe"];
    let missing = programs.into_iter().find(|program| Command::new(program).arg("-version").output().is_err());
    if let Some(program) = missing {
        eprintln!("skipped: {program} is missing; '.ci/prerequisites media' installs it");
    }
    missing.is_none()
}

/// A stream of sixteen seconds that has ended, and a server that reads it.
struct Evening {
    client: Client,
    hls: HlsServer,
    chat: Chat,
    log: EmbeddedLog,
    folder: TempDir,
    _media: TempDir,
}

impl Evening {
    async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let (media, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let line = Line { start_ms: 1_000, text: "Welcome back everyone".to_owned() };
        let content = Content::make(media.path(), &[line], 16).expect("media");
        let start_ms = SystemClock.now_ms() - 60_000;
        let schedule = Schedule { start_ms, ready: 8, ends_after: Some(8), ..Schedule::default() };
        let hls = HlsServer::start(Arc::new(content), schedule).await.expect("a server");
        let chat = Chat::default();
        let mut settings = settings(&chat);
        settings.clips.folder = Some(folder.path().to_owned());
        settings.clips.lines = 180;
        change(&mut settings);
        let log = EmbeddedLog::in_memory();
        let client = Client::start_on(settings, &log).await;
        Self { client, hls, chat, log, folder, _media: media }
    }

    /// Reads a stream whose footage is the server's.
    async fn read(&self, name: &str) {
        let media = self.hls.url("/live/master.m3u8");
        let asked = json!({ "url": format!("https://chat.test/{name}"), "options": { "media": media } });
        let (status, answer) = self.client.post("/v1/streams", &asked).await;
        assert_eq!(status, 201, "{answer}");
    }

    /// Asks for a part of the stream, in milliseconds since its beginning.
    async fn ask(&self, from: i64, to: i64, more: &Value) -> (u16, Value) {
        let begin = self.hls.start_ms(0);
        let mut asked = json!({ "start_ms": begin + from, "end_ms": begin + to });
        let more = more.as_object().cloned().unwrap_or_default();
        asked.as_object_mut().expect("an object").extend(more);
        self.client.post(CLIPS, &asked).await
    }

    /// Asks for a part, and waits for it.
    async fn clip(&self, from: i64, to: i64, more: &Value) -> Value {
        let (status, asked) = self.ask(from, to, more).await;
        assert_eq!(status, 202, "{asked}");
        let path = format!("{CLIPS}/{}", asked["id"].as_str().expect("an id"));
        until(WAIT, "the clip", async || {
            let (_, clip) = self.client.get(&path).await;
            assert_ne!(clip["state"], "failed", "{clip}");
            clip["state"] == "done"
        })
        .await;
        self.client.get(&path).await.1
    }

    async fn file(&self, clip: &Value) -> NamedTempFile {
        let path = format!("{CLIPS}/{}/file", clip["id"].as_str().expect("an id"));
        let answer = self.client.fetch(&path, &[]).await;
        assert_eq!(answer.status(), 200);
        let name = answer.headers()["content-disposition"].to_str().expect("ASCII").to_owned();
        assert!(name.starts_with("attachment; filename=\"double-ada-"), "{name}");
        let file = NamedTempFile::with_suffix(".mp4").expect("a file");
        std::fs::write(file.path(), answer.bytes().await.expect("a body")).expect("written");
        file
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("files")).map_or(0, Iterator::count)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_has_its_length_shape_and_captions_and_is_downloaded_in_parts() {
    if !is_there() {
        return;
    }
    let evening = Evening::start(|_| {}).await;
    let client = &evening.client;
    evening.read("ada").await;
    let begin = evening.hls.start_ms(0);
    let said = json!({
        "stream_id": "double-ada", "text": "Welcome back everyone", "timestamp": begin + 3_000, "duration_ms": 3_000
    });
    assert_eq!(client.post("/v1/transcript", &said).await.0, 202);
    let mut events = client.fetch("/v1/streams/double-ada/events", &[]).await;

    let portrait = json!({ "shape": "portrait", "reason": "What a \"welcome\"!" });
    let clip = evening.clip(2_000, 10_000, &portrait).await;
    assert_eq!((&clip["progress"], &clip["reason"]), (&json!(1.0), &json!("What a \"welcome\"!")));
    let captioned = evening.file(&clip).await;
    let seen = Video::of(captioned.path()).expect("a video");
    assert!((seen.seconds - 8.0).abs() < 0.3, "{} seconds", seen.seconds);
    assert_eq!((seen.width, seen.height), (180, 320));
    let plain = json!({ "shape": "portrait", "captions": false });
    let plain = evening.file(&evening.clip(2_000, 10_000, &plain).await).await;
    // The words stand from one second to four seconds of the clip.
    let at = |second| Difference::at(second, captioned.path(), plain.path()).expect("two pictures").lower;
    assert!(at(2.5) > 3.0, "{}", at(2.5));
    assert!(at(6.0) < 1.0, "{}", at(6.0));

    // A page heard of the work while it was going on.
    let mut told = String::new();
    while !told.contains("\"state\":\"done\"") {
        let piece = tokio::time::timeout(WAIT, events.chunk()).await.expect("in time").expect("an event");
        told.push_str(&String::from_utf8_lossy(&piece.expect("more")));
    }
    assert!(told.contains("event: clip_progress") && told.contains("\"state\":\"fetching\""), "{told}");

    let file = format!("{CLIPS}/{}/file", clip["id"].as_str().expect("an id"));
    let all = std::fs::read(captioned.path()).expect("bytes");
    let part = client.fetch(&file, &[("range", "bytes=4-11"), ("accept-encoding", "gzip")]).await;
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-type"]),
        (206, &"video/mp4".parse().expect("a value"))
    );
    assert_eq!(part.headers()["content-range"], format!("bytes 4-11/{}", all.len()));
    assert_eq!(part.bytes().await.expect("a body"), all[4..12]);
    let beyond = client.fetch(&file, &[("range", "bytes=999999999-")]).await;
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{}", all.len()));
    assert!(beyond.text().await.expect("a body").contains("the file has no such range"));

    let (_, listed) = client.get(CLIPS).await;
    let ids: Vec<_> =
        listed["clips"].as_array().expect("a list").iter().filter_map(|clip| clip["id"].as_str()).collect();
    assert_eq!((ids.len(), &listed["can_ask"]), (2, &json!(true)), "{listed}");
    assert!(listed["used_bytes"].as_u64() > Some(1_000), "{listed}");
    let archive = client.fetch(&format!("{CLIPS}/archive?ids={}", ids.join(",")), &[]).await;
    assert_eq!(
        (archive.status().as_u16(), &archive.headers()["content-type"]),
        (200, &"application/zip".parse().expect("a value"))
    );
    let archive = archive.bytes().await.expect("a body");
    assert!(archive.starts_with(b"PK") && archive.len() > all.len());

    let (status, _) = client.send("DELETE", &format!("{CLIPS}/{}", ids[0]), &json!({})).await;
    assert_eq!(status, 204);
    assert_eq!((client.get(&format!("{CLIPS}/{}", ids[0])).await.0, evening.files()), (404, 1));
    client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_asks_for_a_clip_over_its_socket_and_its_progress_is_pushed_there() {
    if !is_there() {
        return;
    }
    let evening = Evening::start(|_| {}).await;
    evening.read("ada").await;
    let url = format!("ws://{}/v1/streams/double-ada/socket", evening.client.server.address());
    let (mut page, _) = connect_async(url).await.expect("opens");
    let begin = evening.hls.start_ms(0);
    let wish = json!({ "id": 1, "ask": "clip", "start_ms": begin + 2_000, "end_ms": begin + 4_000 });
    let wrong = json!({ "id": 2, "ask": "clip", "start_ms": begin + 2_000, "end_ms": begin + 1_000 });
    let (mut clip, mut states, mut refused) = (Value::Null, Vec::new(), Value::Null);
    for ask in [wrong, wish] {
        page.send(Message::text(ask.to_string())).await.expect("sent");
    }
    while states.last() != Some(&json!("done")) || clip.is_null() {
        let message = timeout(WAIT, page.next()).await.expect("in time").expect("goes on").expect("reads");
        let Message::Text(text) = message else { continue };
        let mut message: Value = serde_json::from_str(&text).expect("JSON");
        if message["id"] == 1 {
            clip = message["answer"].take();
            assert!(clip["id"].is_string(), "{message}");
        } else if message["id"] == 2 {
            refused = message["error"].take();
        } else if message["push"] == "clip_progress" {
            assert!(message.get("id").is_none(), "news move no place");
            states.push(message["data"]["clip"]["state"].take());
        }
    }
    assert!(refused["message"].as_str().is_some_and(|told| told.contains("end_ms")), "{refused}");
    assert_eq!(evening.client.get(CLIPS).await.1["clips"][0]["id"], clip["id"]);
    drop(page);
    evening.client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_cut_is_refused_with_what_to_do() {
    if !is_there() {
        return;
    }
    let evening = Evening::start(|settings| {
        settings.tenants = vec![tenant("team", "a-token-of-the-team", &["double-*"])];
    })
    .await;
    let mut evening = evening;
    evening.client.token = Some("a-token-of-the-team");
    until(WAIT, "the sources are read", async || evening.client.get("/v1/streams/double-x").await.0 != 503).await;
    let (status, answer) = evening.ask(0, 5_000, &json!({})).await;
    assert_eq!(status, 404, "{answer}");
    assert!(answer.to_string().contains("no source of this stream"), "{answer}");
    let (status, listed) = evening.client.get(CLIPS).await;
    assert_eq!((status, &listed["can_ask"]), (200, &json!(false)));
    evening.read("ada").await;
    for (from, to, more, status, told) in [
        (5_000, 5_000, json!({}), 422, "is not after start_ms"),
        (5_000, 4_000, json!({}), 422, "is not after start_ms"),
        (0, 400_000, json!({}), 422, "at most 300 seconds"),
        (3_600_000, 3_605_000, json!({}), 409, "no footage of this moment yet"),
        (0, 5_000, json!({ "shape": "round" }), 422, "landscape"),
        (0, 5_000, json!({ "length": 5 }), 422, "unknown field"),
        (0, 5_000, json!({ "reason": "x".repeat(501) }), 422, "at most 500 bytes"),
    ] {
        let (found, answer) = evening.ask(from, to, &more).await;
        assert_eq!(found, status, "{more}: {answer}");
        assert!(answer.to_string().contains(told), "{answer}");
    }
    for path in ["nobody", "../x", "nobody/file"] {
        assert_eq!(evening.client.get(&format!("{CLIPS}/{path}")).await.0, 404, "{path}");
    }
    let (status, answer) = evening.client.get(&format!("{CLIPS}/archive?ids=")).await;
    assert_eq!(status, 400, "{answer}");
    for path in ["clips", "clips/candidates", "clips/x", "clips/x/file", "clips/archive?ids=x"] {
        assert_eq!(evening.client.get(&format!("/v1/streams/eve/{path}")).await.0, 403, "{path}");
    }
    for path in ["clips", "clips/all", "clips/x/cancel", "clips/x/retry"] {
        let asked = json!({ "start_ms": 1, "end_ms": 1_001 });
        assert_eq!(evening.client.post(&format!("/v1/streams/eve/{path}"), &asked).await.0, 403, "{path}");
    }
    // What the footage does not have is told by the clip.
    let (_, clip) = evening.ask(-60_000, -50_000, &json!({})).await;
    let path = format!("{CLIPS}/{}", clip["id"].as_str().expect("an id"));
    until(WAIT, "the failure", async || evening.client.get(&path).await.1["state"] == "failed").await;
    let (_, clip) = evening.client.get(&path).await;
    assert!(clip["trouble"].as_str().is_some_and(|trouble| trouble.contains("no longer has this part")), "{clip}");
    let (status, answer) = evening.client.get(&format!("{path}/file")).await;
    assert_eq!(status, 409, "{answer}");
    evening.client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_stream_takes_its_clips_with_it_and_a_stopped_one_does_not() {
    if !is_there() {
        return;
    }
    let evening = Evening::start(|_| {}).await;
    evening.read("ada").await;
    evening.read("eve").await;
    evening.clip(0, 3_000, &json!({})).await;
    let begin = evening.hls.start_ms(0);
    evening.clip(4_000, 6_000, &json!({})).await;
    let other = json!({ "start_ms": begin, "end_ms": begin + 2_000 });
    assert_eq!(evening.client.post("/v1/streams/double-eve/clips", &other).await.0, 202);
    until(WAIT, "three files", async || evening.files() == 3).await;
    assert_eq!(evening.client.post("/v1/streams/double-ada/stop", &json!({})).await.0, 200);
    // Longer than a round of those who look after clips.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(evening.files(), 3, "a stopped stream keeps its clips");
    let (status, answer) = evening.client.send("DELETE", "/v1/streams/double-ada", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(evening.files(), 1);
    let (_, listed) = evening.client.get(CLIPS).await;
    assert_eq!(listed["clips"], json!([]));
    let (_, listed) = evening.client.get("/v1/streams/double-eve/clips").await;
    assert_eq!(listed["clips"].as_array().map(Vec::len), Some(1));
    until(WAIT, "no work is left", async || {
        std::fs::read_dir(evening.folder.path().join("work")).map_or(0, Iterator::count) == 0
    })
    .await;
    evening.client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_reaches_the_clips_of_another_instance() {
    if !is_there() {
        return;
    }
    let evening = Evening::start(|_| {}).await;
    evening.read("ada").await;
    evening.clip(0, 3_000, &json!({})).await;
    let other = Client::start_on(settings(&evening.chat), &evening.log).await;
    // Each instance lists its own.
    assert_eq!(other.get(CLIPS).await.1["clips"], json!([]));
    assert_eq!(other.send("DELETE", "/v1/streams/double-ada", &json!({})).await.0, 200);
    until(WAIT, "the clip is deleted", async || evening.files() == 0).await;
    assert_eq!(evening.client.get(CLIPS).await.1["clips"], json!([]));
    other.close().await;
    evening.client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_moments_are_made_now_or_when_the_stream_has_ended() {
    if !is_there() {
        return;
    }
    let evening = Evening::start(|settings| {
        // So that the end of the stream need not be waited for.
        for windows in settings.windows.values_mut() {
            windows.answer_within = Duration::ZERO;
        }
    })
    .await;
    evening.read("ada").await;
    let (status, found) = evening.client.get(&format!("{CLIPS}/candidates")).await;
    assert_eq!((status, &found["candidates"]), (200, &json!([])));
    assert_eq!(evening.client.get(&format!("{CLIPS}/candidates?most=0")).await.0, 400);
    let all = format!("{CLIPS}/all");
    let (status, made) = evening.client.post(&all, &json!({})).await;
    assert_eq!((status, &made["clips"]), (202, &json!([])));
    let (_, kept) = evening.client.post(&all, &json!({ "when": "end", "most": 3, "shape": "portrait" })).await;
    assert_eq!((&kept["all"]["most"], &kept["all"]["when"]), (&json!(3), &json!("end")), "{kept}");
    let (_, listed) = evening.client.get(CLIPS).await;
    assert_eq!(listed["all"]["shape"], "portrait");
    let (_, kept) = evening.client.post(&all, &json!({ "when": "never" })).await;
    assert_eq!(kept["all"], json!(null));
    assert_eq!(evening.client.post(&all, &json!({ "most": 51 })).await.0, 422);
    evening.client.post(&all, &json!({ "when": "end" })).await;
    evening.chat.end("ada");
    evening.client.until_state("double-ada", "ended").await;
    until(WAIT, "the wish is fulfilled", async || evening.client.get(CLIPS).await.1["all"] == json!(null)).await;
    evening.client.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_place_for_clips_says_what_to_do() {
    let chat = Chat::default();
    let client = Client::start(settings(&chat)).await;
    client.post("/v1/streams", &json!({ "url": "https://chat.test/ada" })).await;
    let now = SystemClock.now_ms();
    let (status, answer) = client.post(CLIPS, &json!({ "start_ms": now - 9_000, "end_ms": now - 4_000 })).await;
    assert_eq!(status, 503, "{answer}");
    assert!(answer["fix"].as_str().is_some_and(|fix| fix.contains("clips.folder")), "{answer}");
    let (status, listed) = client.get(CLIPS).await;
    assert_eq!((status, &listed["can_ask"]), (200, &json!(false)));
    assert_eq!(client.send("DELETE", "/v1/streams/double-ada", &json!({})).await.0, 200);
    client.close().await;
}
