//! Connections end in time, and slow or many clients do not stop the server.

use std::{process::Command, time::Duration};

use tidemill_apps::server::{Limits, Settings};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{
    Client, WAIT, chat,
    common::{Running, until},
    now, settings,
};

/// A time-out for tests.
const SHORT: Duration = Duration::from_millis(300);

async fn client(limits: Limits) -> Client {
    Client::start(Settings { limits, ..settings() }).await
}

async fn connect(client: &Client, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(client.server.address()).await.expect("connects");
    stream.write_all(text.as_bytes()).await.expect("sent");
    stream
}

/// Everything that the server sends until it closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let read = timeout(WAIT, stream.read_to_string(&mut text)).await.expect("closed in time");
    // A connection that is closed while the client still sends may end with a reset.
    if let Err(error) = read {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn half_sent_headers_and_idle_connections_are_closed() {
    let client = client(Limits { idle_timeout: SHORT, ..Limits::default() }).await;
    let mut silent = connect(&client, "").await;
    let mut half = connect(&client, "GET /healthz HTTP/1.1\r\nHost: local").await;
    let mut idle = connect(&client, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((rest(&mut silent).await, rest(&mut half).await), (String::new(), String::new()));
    let answer = rest(&mut idle).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(r#"{"status":"ok"}"#), "{answer}");
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_closed_and_does_not_block_others() {
    let client = client(Limits { body_timeout: SHORT * 3, ..Limits::default() }).await;
    let head =
        "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";
    let mut slow = connect(&client, &format!("{head}{{\"stream_id\"")).await;
    let taken = timeout(SHORT * 2, client.post("/v1/chat", &chat("s", "u", "hi", now()))).await;
    assert_eq!(taken.expect("others do not wait for the slow body").0, 202);
    let answer = rest(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("the body did not arrive in time"), "{answer}");
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_follows_results_outlives_the_idle_time() {
    let client = client(Limits { idle_timeout: SHORT, ..Limits::default() }).await;
    let follow = client.request("GET", "/v1/streams/ada/events").header("accept-encoding", "gzip");
    let mut follow = follow.send().await.expect("answers");
    assert!(!follow.headers().contains_key("content-encoding"), "each event is sent at once");
    sleep(SHORT * 3).await;
    client.post("/v1/chat", &chat("ada", "u", "hi", now())).await;
    let mut text = String::new();
    let read = async {
        while !text.contains("event: insight") {
            let chunk = follow.chunk().await.expect("reads").expect("goes on");
            text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    };
    timeout(WAIT, read).await.expect("a result comes in time");
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_above_the_limit_wait_until_others_end() {
    let client = client(Limits { connections: 1, idle_timeout: SHORT, ..Limits::default() }).await;
    let mut first = connect(&client, "GET /healthz HTTP/1.1\r\nHost: local").await;
    let mut second = connect(&client, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!(rest(&mut first).await, "");
    assert!(rest(&mut second).await.starts_with("HTTP/1.1 200"));
    client.server.close().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_too_many_connections_gets_no_more() {
    let client = client(Limits { address_connections: 2, ..Limits::default() }).await;
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let held = [connect(&client, "").await, connect(&client, "").await];
    assert_eq!(rest(&mut connect(&client, request).await).await, "");
    drop(held);
    until(WAIT, "it answers when connections have ended", async || {
        rest(&mut connect(&client, request).await).await.starts_with("HTTP/1.1 200")
    })
    .await;
    client.server.close().await.expect("closes");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_program_lives_on_without_file_descriptors() {
    let binary = env!("CARGO_BIN_EXE_tidemill");
    let command = format!("ulimit -n 48; exec '{binary}' serve --listen 127.0.0.1:0 --set limits.idle_timeout=2s");
    let mut running = Running::start(Command::new("sh").args(["-c", &command]));
    let address = running.url.trim_start_matches("http://").to_owned();
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(TcpStream::connect(&address).await.expect("the system takes the connection"));
    }
    sleep(Duration::from_secs(1)).await;
    assert!(running.ended().is_none(), "it lives on");
    let http = tidemill_apps::apps::http_client(WAIT).expect("a client");
    until(WAIT, "it answers when idle connections are closed", async || {
        http.get(format!("{}/healthz", running.url)).send().await.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    drop(held);
    running.stop();
}
