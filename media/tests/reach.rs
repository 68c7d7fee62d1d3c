//! A server that strangers give addresses to reads only what it may.

mod common;

use std::fs;
use std::time::Duration;

use common::{content, quick, script, stream, url, whole};
use tempfile::TempDir;
use tidemill_hls_server::HlsServer;
use tidemill_media::process::Program;
use tidemill_media::resolve::{Kind, Want};
use tidemill_media::{Audio, AudioOptions, Listener, MediaError, Reach, Resolved, Resolver, ResolverOptions};

/// All but this machine.
const AWAY: Reach = Reach::only(|address| !address.is_loopback());

async fn end_of(resolved: &Resolved, reach: Reach) -> MediaError {
    let mut audio = Audio::open(resolved, AudioOptions { reach, ..quick() }).expect("FFmpeg");
    loop {
        if let Err(error) = audio.next().await {
            return error;
        }
    }
}

#[tokio::test]
async fn a_playlist_that_leads_inside_is_refused_at_once() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    assert_eq!(end_of(&stream(&server), Reach::default()).await, MediaError::Ended);
    let asked = server.asked(0);
    let port = stream(&server).media.port().expect("a port");
    for host in ["127.0.0.1", "localhost"] {
        let media = url(&format!("http://{host}:{port}/live/master.m3u8"));
        let error = end_of(&Resolved::new(media, Kind::Hls, true), AWAY).await;
        assert!(matches!(error, MediaError::Refused { .. }), "{host}: {error:?}");
    }
    let file = Resolved::new(url(&server.url("/recording.mp4")), Kind::Direct, false);
    let error = end_of(&file, AWAY).await;
    assert!(matches!(error, MediaError::Refused { .. }), "FFmpeg asks nobody: {error:?}");
    assert_eq!(server.asked(0), asked, "nothing was read");
}

#[tokio::test]
async fn yt_dlp_looks_only_into_pages_of_platforms_where_it_is_told_so() {
    let folder = TempDir::new().expect("a folder");
    let seen = folder.path().join("seen");
    let answer = r#"{"title":"x","url":"https://cdn.example/a.m3u8","protocol":"m3u8_native","is_live":true}"#;
    let text = format!("echo \"$@\" > {}; cat > /dev/null; echo '{answer}'", seen.display());
    for (any_page, expect) in [(true, false), (false, true)] {
        let yt_dlp = Some(Program::at("yt-dlp", script(folder.path(), "yt-dlp", &text)));
        let resolver = Resolver::new(ResolverOptions { yt_dlp, any_page, ..ResolverOptions::default() });
        resolver.resolve(&url("https://tube.example/live"), Want::Audio).await.expect("a stream");
        let arguments = fs::read_to_string(&seen).expect("what it saw");
        assert_eq!(arguments.contains("--use-extractors default,-generic"), expect, "{arguments}");
    }
    let text = "cat > /dev/null; echo 'ERROR: No suitable extractor found for URL https://x.example' >&2; exit 1";
    let yt_dlp = Some(Program::at("yt-dlp", script(folder.path(), "yt-dlp", text)));
    let wait_first = Duration::from_millis(1);
    let resolver = Resolver::new(ResolverOptions { yt_dlp, wait_first, ..ResolverOptions::default() });
    let error = resolver.resolve(&url("https://x.example"), Want::Audio).await.expect_err("no platform");
    assert!(error.to_string().contains("no platform that yt-dlp knows"), "{error}");
}

#[tokio::test]
async fn a_recording_that_is_opened_again_keeps_its_times() {
    let Some(content) = content() else { return };
    let file = url(&format!("file://{}", content.recording().display()));
    let open = |now_ms, after_ms| {
        let resolver = Resolver::new(ResolverOptions { files: true, ..ResolverOptions::default() });
        let options = AudioOptions { origin_ms: Some(50_000), resume_after_ms: after_ms, ..AudioOptions::new(now_ms) };
        Listener::new(resolver, file.clone(), options)
    };
    assert_eq!(open(70_000, None).next().await.expect("audio").start_ms(), 50_000);
    assert_eq!(open(90_000, Some(58_000)).next().await.expect("audio").start_ms(), 58_000);
}

#[tokio::test]
async fn copies_of_a_resolver_start_only_a_few_programs_at_once() {
    let folder = TempDir::new().expect("a folder");
    let runs = folder.path().join("runs");
    fs::create_dir(&runs).expect("a folder");
    let answer = r#"{"title":"x","url":"https://cdn.example/a.m3u8","protocol":"m3u8_native","is_live":true}"#;
    let text = format!(
        "cat > /dev/null; touch {0}/$$; ls {0} | wc -l >> {1}/counts; sleep 0.2; rm {0}/$$; echo '{answer}'",
        runs.display(),
        folder.path().display()
    );
    let yt_dlp = Some(Program::at("yt-dlp", script(folder.path(), "yt-dlp", &text)));
    let resolver = Resolver::new(ResolverOptions { yt_dlp, ..ResolverOptions::default() });
    let asked = (0..12).map(|_| {
        let resolver = resolver.clone();
        tokio::spawn(async move { resolver.resolve(&url("https://tube.example/live"), Want::Audio).await })
    });
    for task in asked.collect::<Vec<_>>() {
        task.await.expect("a task").expect("a stream");
    }
    let counts = fs::read_to_string(folder.path().join("counts")).expect("counts");
    assert!(counts.lines().all(|count| count.trim().parse::<u32>().is_ok_and(|count| count <= 4)), "{counts}");
}
