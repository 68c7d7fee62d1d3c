//! Addresses of streams: what yt-dlp is asked, and what its answers and failures become.

mod common;

use std::fs;
use std::time::Duration;

use common::{content, script, until, url, whole};
use tempfile::TempDir;
use tidemill_hls_server::HlsServer;
use tidemill_media::process::Program;
use tidemill_media::resolve::{Kind, Want};
use tidemill_media::{MediaError, Resolver, ResolverOptions};

const ANSWER: &str =
    r#"{"title":"The final","url":"https://cdn.example/a.m3u8?sig=1","protocol":"m3u8_native","is_live":true}"#;

fn resolver(folder: &TempDir, text: &str) -> Resolver {
    Resolver::new(ResolverOptions {
        yt_dlp: Some(Program::at("yt-dlp", script(folder.path(), "yt-dlp", text))),
        wait_first: Duration::from_millis(4),
        cookies: fs::exists(folder.path().join("cookies")).expect("a folder").then(|| folder.path().join("cookies")),
        ..ResolverOptions::default()
    })
}

#[tokio::test]
async fn yt_dlp_gets_the_address_by_its_input_and_a_copy_of_the_cookies() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("cookies"), "# Netscape HTTP Cookie File\n").expect("cookies");
    let seen = folder.path().join("seen");
    let text = format!(
        "echo \"$@\" > {0}; cat >> {0}\nwhile [ $# -gt 0 ]; do [ \"$1\" = --cookies ] && echo changed > \"$2\"; shift; done\necho '{ANSWER}'; exit 1",
        seen.display()
    );
    // It fails while it tidies up, after it answered.
    let page = url("https://tube.example/watch?v=1&key=secret");
    let resolved = resolver(&folder, &text).resolve(&page, Want::Audio).await.expect("a stream");
    assert_eq!((resolved.title.as_deref(), resolved.kind, resolved.is_live), (Some("The final"), Kind::Hls, true));
    let seen = fs::read_to_string(seen).expect("what it saw");
    let (arguments, input) = seen.split_once('\n').expect("two lines");
    assert!(!arguments.contains("secret") && arguments.contains("--ignore-config"), "{arguments}");
    assert_eq!(input.trim(), page.as_str());
    let kept = fs::read_to_string(folder.path().join("cookies")).expect("cookies");
    assert!(kept.starts_with("# Netscape"), "the caller's file is only read");
}

#[tokio::test]
async fn trouble_that_passes_is_tried_again_and_a_refusal_is_not() {
    let folder = TempDir::new().expect("a folder");
    let count = folder.path().join("count");
    let text = format!(
        "echo x >> {0}; cat > /dev/null\n[ $(wc -l < {0}) -ge 3 ] && {{ echo '{ANSWER}'; exit 0; }}\necho 'ERROR: HTTP Error 503' >&2; exit 1",
        count.display()
    );
    let page = url("https://tube.example/x");
    resolver(&folder, &text).resolve(&page, Want::Video).await.expect("the third attempt");
    assert_eq!(fs::read_to_string(&count).expect("the count").lines().count(), 3);

    fs::remove_file(&count).expect("the count");
    let text = format!(
        "echo x >> {}; echo \"ERROR: [youtube] x: Sign in to confirm you’re not a bot.\" >&2; exit 1",
        count.display()
    );
    let error = resolver(&folder, &text).resolve(&page, Want::Video).await.expect_err("a refusal");
    assert!(error.to_string().contains("takes this server for a bot"), "{error}");
    assert_eq!(fs::read_to_string(&count).expect("the count").lines().count(), 1);
}

#[tokio::test]
async fn yt_dlp_that_hangs_is_killed_with_what_it_started() {
    let folder = TempDir::new().expect("a folder");
    let pids = folder.path().join("pids");
    let text = format!("sleep 1000 & echo $! $$ > {}; sleep 1000", pids.display());
    let base = resolver(&folder, &text);
    let page = url("https://tube.example/x");
    let asked = tokio::spawn(async move { base.resolve(&page, Want::Audio).await });
    until("the start", || fs::read_to_string(&pids).is_ok_and(|pids| pids.ends_with('\n'))).await;
    let pids = fs::read_to_string(pids).expect("process ids");
    assert!(pids.split_whitespace().all(common::runs));
    asked.abort();
    until("the end of all processes", || !pids.split_whitespace().any(common::runs)).await;

    let hasty = Resolver::new(ResolverOptions {
        yt_dlp: Some(Program::at("yt-dlp", script(folder.path(), "slow", "sleep 1000"))),
        timeout: Duration::from_millis(50),
        attempts: 1,
        ..ResolverOptions::default()
    });
    let error = hasty.resolve(&url("https://tube.example/x"), Want::Audio).await.expect_err("no answer");
    assert!(error.is_transient() && error.to_string().contains("tube.example"), "{error}");
}

#[tokio::test]
async fn media_is_taken_as_it_is_and_files_and_other_kinds_are_refused() {
    let nothing = Resolver::new(ResolverOptions {
        yt_dlp: Some(Program::at("yt-dlp", "/nowhere/yt-dlp")),
        ..ResolverOptions::default()
    });
    let playlist = nothing.resolve(&url("https://cdn.example/live.m3u8"), Want::Audio).await.expect("a playlist");
    assert_eq!(playlist.kind, Kind::Hls);
    let refused = |address: &'static str| {
        let nothing = nothing.clone();
        async move { nothing.resolve(&url(address), Want::Audio).await.expect_err("a refusal") }
    };
    assert!(refused("file:///etc/passwd").await.to_string().starts_with("A file of the server cannot be read."));
    assert!(refused("ftp://h/x").await.to_string().contains("'ftp'"));
    assert!(matches!(refused("https://tube.example/x").await, MediaError::Missing { .. }));
}

#[tokio::test]
async fn the_real_yt_dlp_finds_the_stream_on_a_page() {
    let Ok(yt_dlp) = Program::find("yt-dlp") else {
        eprintln!("skipped: yt-dlp is missing; '.ci/fetch yt-dlp FOLDER' fetches it");
        return;
    };
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let resolver = Resolver::new(ResolverOptions { yt_dlp: Some(yt_dlp), attempts: 1, ..ResolverOptions::default() });
    for want in [Want::Audio, Want::Video] {
        let resolved = resolver.resolve(&url(&server.url("/watch")), want).await.expect("a stream");
        assert_eq!(resolved.kind, Kind::Hls);
        assert!(resolved.title.is_some_and(|title| title.contains("The final match")));
        assert!(resolved.media.path().starts_with("/live/"));
    }
    let error = resolver.resolve(&url(&server.url("/nothing")), Want::Audio).await.expect_err("no page");
    assert!(error.to_string().contains("no such page"), "{error}");
}
