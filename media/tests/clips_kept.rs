//! Clips over time: restarts, kills, retention, archives.

mod clips_common;
mod common;

use std::fs;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use clips_common::{done, files, options, probe, request, settled};
use common::{content, script, until, whole};
use tempfile::TempDir;
use tidemill_hls_server::{HlsServer, Pace, Schedule};
use tidemill_media::clips::AskCaptions;
use tidemill_media::process::Program;
use tidemill_media::{ClipId, ClipRequest, ClipState, Clips, ClipsOptions, MediaError};

fn id(name: &str) -> ClipId {
    ClipId::new(name).expect("a name")
}

/// The owner of a folder may need a moment to let go of it.
async fn reopen(options: impl Fn() -> ClipsOptions) -> Clips {
    for _ in 0..1000 {
        if let Ok(clips) = Clips::open(options()) {
            return clips;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Clips::open(options()).expect("clips")
}

/// Not a test: the process that [`a_killed_process_goes_on_with_its_queue`] kills.
#[tokio::test]
async fn process_to_kill() {
    let Some(folder) = std::env::var_os("TIDEMILL_TEST_CLIPS") else { return };
    let read = |name: &str| std::env::var(name).expect("a variable");
    let wanted: ClipRequest = serde_json::from_str(&read("TIDEMILL_TEST_REQUEST")).expect("a request");
    let ffmpeg = Some(Program::at("ffmpeg", read("TIDEMILL_TEST_FFMPEG")));
    let clips = Clips::open(ClipsOptions { ffmpeg, lines: 180, ..ClipsOptions::new(folder) }).expect("clips");
    for name in ["a", "b", "c"] {
        clips.submit(id(name), wanted.clone()).expect("a clip");
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
}

#[tokio::test]
async fn a_killed_process_goes_on_with_its_queue() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let programs = TempDir::new().expect("a folder");
    let pid = programs.path().join("pid");
    // The first clip succeeds, the second one hangs with half a file.
    let text = format!(
        "if [ -e {0}.first ]; then echo half > clip.mp4; echo $$ > {0}; exec sleep 1000; fi\ntouch {0}.first\nexec ffmpeg \"$@\"",
        pid.display()
    );
    let ffmpeg = script(programs.path(), "ffmpeg", &text);
    let wanted = request(&server, server.start_ms(0), server.start_ms(1));
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["process_to_kill", "--exact", "--nocapture"])
        .env("TIDEMILL_TEST_CLIPS", folder.path())
        .env("TIDEMILL_TEST_FFMPEG", ffmpeg)
        .env("TIDEMILL_TEST_REQUEST", serde_json::to_string(&wanted).expect("JSON"))
        .spawn()
        .expect("a process");
    until("the second clip", || fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n'))).await;
    child.kill().expect("a kill");
    child.wait().expect("an end");
    let pid = fs::read_to_string(&pid).expect("a process id");
    if Command::new("setpriv").arg("--version").output().is_ok() {
        until("the end of the child's FFmpeg", || !common::runs(pid.trim())).await;
    }
    assert!(files(&folder).len() > 1, "half a clip is left in work/");
    // It was killed while it wrote a line.
    let journal = folder.path().join("journal.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(journal).expect("the journal");
    file.write_all(b"{\"clip\":{\"id\":\"d\",\"req").expect("half a line");

    let clips = reopen(|| options(&folder)).await;
    assert_eq!(clips.list().len(), 3);
    assert_eq!(clips.list().iter().filter(|clip| matches!(clip.state, ClipState::Done(_))).count(), 1);
    for name in ["a", "b", "c"] {
        assert!((probe(&done(&clips, name).await).seconds - 2.0).abs() < 0.15);
    }
    until("an empty workplace", || files(&folder).len() == 3).await;
    drop(clips);
    let clips = reopen(|| options(&folder)).await;
    assert!(clips.list().iter().all(|clip| matches!(clip.state, ClipState::Done(_))), "the half line spoilt nothing");
}

#[tokio::test]
async fn a_folder_has_one_owner_and_a_lost_file_is_told() {
    let Some(_) = content() else { return };
    let folder = TempDir::new().expect("a folder");
    let clips = Clips::open(options(&folder)).expect("clips");
    let error = Clips::open(options(&folder)).expect_err("a second owner");
    assert!(error.to_string().starts_with("Another process uses this folder of clips."), "{error}");
    drop(clips);
    fs::write(folder.path().join("files/stray.mp4"), "half").expect("a file");
    let clips = reopen(|| options(&folder)).await;
    assert!(files(&folder).is_empty(), "a file that no clip has goes");
    assert!(clips.get(&id("stray")).is_none());
}

#[tokio::test]
async fn asking_twice_makes_one_clip_and_what_cannot_be_made_is_refused() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let clips = Clips::open(ClipsOptions { queued_most: 1, ..options(&folder) }).expect("clips");
    let wanted = request(&server, server.start_ms(0), server.start_ms(1));
    clips.submit(id("a"), wanted.clone()).expect("a clip");
    clips.submit(id("a"), wanted.clone()).expect("the same clip");
    assert_eq!(clips.list().len(), 1);
    let refused = |name, wanted| {
        let error = clips.submit(id(name), wanted).expect_err("a refusal");
        assert!(matches!(error, MediaError::Refused { .. }), "{error:?}");
        error.to_string()
    };
    assert!(refused("b", wanted.clone()).starts_with("1 clips wait already."));
    done(&clips, "a").await;
    assert!(refused("c", ClipRequest { end_ms: wanted.start_ms, ..wanted.clone() }).contains("half a second"));
    assert!(refused("c", ClipRequest { lead_in_ms: 400_000, ..wanted.clone() }).contains("longer than 300 seconds"));
    assert!(refused("c", ClipRequest { footage: Vec::new(), ..wanted }).contains("no footage"));
}

#[tokio::test]
async fn old_clips_and_too_many_bytes_go_and_removed_clips_stay_away() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let now = Arc::new(AtomicI64::new(1000));
    let clock = Arc::clone(&now);
    let with = |quota_bytes| ClipsOptions {
        keep: Some(Duration::from_secs(60)),
        quota_bytes,
        now_ms: Arc::new({
            let clock = Arc::clone(&clock);
            move || clock.fetch_add(1, Ordering::SeqCst)
        }),
        ..options(&folder)
    };
    let clips = Clips::open(with(None)).expect("clips");
    let wanted = request(&server, server.start_ms(0), server.start_ms(1));
    for name in ["a", "b", "c"] {
        clips.submit(id(name), wanted.clone()).expect("a clip");
        done(&clips, name).await;
    }
    clips.remove(&id("b")).expect("it goes");
    assert!(clips.remove(&id("b")).is_err());
    drop(clips);
    // Less than both together: the older one goes.
    let bytes = files(&folder).iter().map(|file| file.metadata().expect("a file").len()).sum::<u64>();
    let clips = reopen(|| with(Some(bytes - 1))).await;
    let names: Vec<_> = clips.list().into_iter().map(|clip| clip.id.to_string()).collect();
    assert_eq!(names, ["c"]);
    now.fetch_add(61_000, Ordering::SeqCst);
    assert_eq!(clips.tidy(), [id("c")]);
    assert!(clips.list().is_empty() && files(&folder).is_empty());
}

#[tokio::test]
async fn several_clips_become_one_archive() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let clips = Clips::open(options(&folder)).expect("clips");
    let wanted = request(&server, server.start_ms(0), server.start_ms(1));
    for name in ["a", "b"] {
        clips.submit(id(name), ClipRequest { title: format!("Goal/{name}"), ..wanted.clone() }).expect("a clip");
    }
    let (first, _) = (done(&clips, "a").await, done(&clips, "b").await);
    let archive = clips.archive(&[id("b"), id("a")]).await.expect("an archive");
    assert_eq!(archive.file.metadata().expect("a file").len(), archive.bytes);
    let mut zip = zip::ZipArchive::new(archive.file).expect("a zip");
    let names: Vec<_> = zip.file_names().map(|name| name.expect("a name").into_owned()).collect();
    assert_eq!(names, ["01-Goal-b.mp4", "02-Goal-a.mp4"]);
    let mut packed = Vec::new();
    std::io::copy(&mut zip.by_index(1).expect("a clip"), &mut packed).expect("bytes");
    assert_eq!(packed, fs::read(first).expect("the clip"));
    assert_eq!(files(&folder).len(), 2, "the archive has no name");
    assert!(clips.archive(&[id("a"), id("nothing")]).await.is_err());
    let lost = ClipRequest { start_ms: 0, end_ms: 5000, ..wanted };
    clips.submit(id("lost"), lost).expect("a clip");
    assert!(matches!(settled(&clips, "lost").await, ClipState::Failed { .. }));
    assert!(clips.archive(&[id("lost")]).await.is_err());
}

#[tokio::test]
async fn a_fault_of_the_program_fails_the_clip_and_says_so() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let fault: AskCaptions = Arc::new(|_| panic!("a fault"));
    let clips = Clips::open(ClipsOptions { captions: Some(fault), ..options(&folder) }).expect("clips");
    let wanted = request(&server, server.start_ms(0), server.start_ms(1));
    clips.submit(id("a"), ClipRequest { captioned: true, ..wanted }).expect("a clip");
    let ClipState::Failed { reason } = settled(&clips, "a").await else { panic!("it cannot be made") };
    assert!(reason.starts_with("Tidemill has a fault"), "{reason}");
    until("an empty folder", || files(&folder).is_empty()).await;
}

#[tokio::test]
async fn clips_whose_end_is_still_to_come_keep_no_other_clip_waiting() {
    let Some(content) = content() else { return };
    let schedule = Schedule { pace: Pace::ByHand, ready: 3, window: 3, ..Schedule::default() };
    let live = HlsServer::start(content.clone(), schedule).await.expect("a server");
    let ended = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let clips = Clips::open(ClipsOptions { fetching: 1, ..options(&folder) }).expect("clips");
    clips.submit(id("later"), request(&live, live.start_ms(0), live.start_ms(6))).expect("a clip");
    until("reading the newest segment", || live.asked(2) > 0).await;
    clips.submit(id("now"), request(&ended, ended.start_ms(0), ended.start_ms(1))).expect("a clip");
    done(&clips, "now").await;
    assert_eq!(clips.get(&id("later")).expect("the clip").state, ClipState::Fetching);
}
