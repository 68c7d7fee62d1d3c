//! Clips: what is in them, and what becomes of them when streams, programs and processes fail.

mod clips_common;
mod common;

use std::sync::Arc;

use clips_common::{difference, done, finished, loudness, options, probe, request, settled, sound};
use common::{content, script, until, url, whole};
use tempfile::TempDir;
use tidemill_hls_server::{Difference, Faults, HlsServer, Pace, Schedule};
use tidemill_media::clips::{AskCaptions, Caption, Footage, Shape};
use tidemill_media::process::Program;
use tidemill_media::{ClipId, ClipRequest, ClipState, Clips, ClipsOptions, Reach};

fn id(name: &str) -> ClipId {
    ClipId::new(name).expect("a name")
}

#[tokio::test]
async fn a_clip_has_its_length_size_loudness_and_captions() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let clips = Clips::open(options(&folder)).expect("clips");
    let start = server.start_ms(0);
    let plain = ClipRequest { lead_in_ms: 1000, ..request(&server, start + 1500, start + 8500) };
    let caption = Caption { text: "Welcome back {everyone}".into(), start_ms: start + 1500, end_ms: start + 4500 };
    let captioned = ClipRequest { captions: vec![caption], ..plain.clone() };
    clips.submit(id("plain"), plain.clone()).expect("a clip");
    clips.submit(id("captioned"), captioned).expect("a clip");
    clips.submit(id("phone"), ClipRequest { shape: Shape::Portrait, ..plain }).expect("a clip");
    let file = done(&clips, "plain").await;
    let seen = probe(&file);
    assert!((seen.seconds - 8.0).abs() < 0.15, "{seen:?}");
    assert_eq!((seen.width, seen.height, seen.has_sound), (320, 180, true));
    assert_eq!(finished(&clips, "plain").start_ms, start + 500);
    assert!((-20.0..-12.0).contains(&loudness(&file)), "{} LUFS", loudness(&file));
    // 'Welcome back everyone' begins half a second after the clip.
    assert!(sound(&file, 0.7, 1.4) > 300.0 && sound(&file, 0.0, 0.4) < 30.0 && sound(&file, 4.0, 7.0) < 30.0);
    // Captions are in the lower third while they are said, and nowhere else.
    let captioned = done(&clips, "captioned").await;
    let Difference { upper, lower } = difference(&file, &captioned, 2.5);
    assert!(lower > 4.0 && upper < 1.0, "{upper} and {lower}");
    let Difference { upper, lower } = difference(&file, &captioned, 6.0);
    assert!(lower < 1.0 && upper < 1.0, "{upper} and {lower}");
    let phone = probe(&done(&clips, "phone").await);
    assert_eq!((phone.width, phone.height), (180, 320));
}

#[tokio::test]
async fn faults_of_the_server_cost_nothing_and_a_pause_of_the_stream_is_left_out() {
    let Some(content) = content() else { return };
    let faults = Faults { seed: 3, busy: 0.4, cut: 0.4, pauses: vec![(4, 60_000)], ..Faults::default() };
    let server = HlsServer::start(content, Schedule { faults, ..whole() }).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let clips = Clips::open(options(&folder)).expect("clips");
    // Two seconds before the pause, and two after it.
    let wanted = request(&server, server.start_ms(3), server.start_ms(5));
    let after = Caption { text: "After the break".into(), start_ms: server.start_ms(4), end_ms: server.start_ms(5) };
    clips.submit(id("plain"), wanted.clone()).expect("a clip");
    clips.submit(id("captioned"), ClipRequest { captions: vec![after], ..wanted }).expect("a clip");
    let (plain, captioned) = (done(&clips, "plain").await, done(&clips, "captioned").await);
    assert!((probe(&plain).seconds - 4.0).abs() < 0.15, "{:?}", probe(&plain));
    assert!(difference(&plain, &captioned, 1.5).lower < 1.0);
    assert!(difference(&plain, &captioned, 2.5).lower > 4.0);
}

#[tokio::test]
async fn a_clip_whose_end_is_still_to_come_waits_for_it() {
    let Some(content) = content() else { return };
    let schedule = Schedule { pace: Pace::ByHand, ready: 3, window: 3, ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let clips = Clips::open(options(&folder)).expect("clips");
    // What is fetched already may leave the playlist meanwhile.
    clips.submit(id("long"), request(&server, server.start_ms(0), server.start_ms(6))).expect("a clip");
    for made in 3..=6 {
        until("reading the newest segment", || server.asked(made - 1) > 0).await;
        assert!(!clips.get(&id("long")).expect("the clip").state.is_final());
        server.advance(1);
    }
    assert!((probe(&done(&clips, "long").await).seconds - 12.0).abs() < 0.15);
}

#[tokio::test]
async fn what_the_live_stream_no_longer_has_is_cut_from_the_recording() {
    let Some(content) = content() else { return };
    let schedule = Schedule { pace: Pace::ByHand, ready: 8, window: 2, ..Schedule::default() };
    let server = HlsServer::start(content.clone(), schedule).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let clips = Clips::open(options(&folder)).expect("clips");
    let start = server.start_ms(0);
    let live_only = request(&server, start + 2000, start + 5000);
    let recording = Footage { address: url(&server.url("/recording.mp4")), start_ms: Some(start) };
    let mut both = live_only.clone();
    both.footage.push(recording);
    clips.submit(id("gone"), live_only).expect("a clip");
    clips.submit(id("recorded"), both.clone()).expect("a clip");
    let at_the_end = ClipRequest { start_ms: start + 14_000, end_ms: start + 19_000, ..both.clone() };
    clips.submit(id("end"), ClipRequest { footage: both.footage[1..].to_vec(), ..at_the_end }).expect("a clip");
    let beyond =
        ClipRequest { start_ms: start + 60_000, end_ms: start + 63_000, footage: both.footage.split_off(1), ..both };
    clips.submit(id("beyond"), beyond).expect("a clip");
    assert!((probe(&done(&clips, "recorded").await).seconds - 3.0).abs() < 0.15);
    assert!((probe(&done(&clips, "end").await).seconds - 2.0).abs() < 0.15, "it ends with the recording");
    assert!((finished(&clips, "end").duration_ms - 2000).abs() < 150);
    let ClipState::Failed { reason } = settled(&clips, "gone").await else { panic!("it cannot be made") };
    assert_eq!(
        reason,
        "The stream no longer has this part. A live stream keeps only its last part: ask sooner, or for a clip of its recording."
    );
    let ClipState::Failed { reason } = settled(&clips, "beyond").await else { panic!("it cannot be made") };
    assert!(reason.starts_with("The footage has nothing at the time of the clip."), "{reason}");
}

#[tokio::test]
async fn a_cancelled_clip_leaves_nothing_and_can_be_made_again() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let programs = TempDir::new().expect("a folder");
    let (pid, go) = (programs.path().join("pid"), programs.path().join("go"));
    // It hangs until it is told to go on.
    let text = format!(
        "echo $$ > {}; touch clip.mp4; [ -e {} ] || exec sleep 1000\nexec ffmpeg \"$@\"",
        pid.display(),
        go.display()
    );
    let ffmpeg = Some(Program::at("ffmpeg", script(programs.path(), "ffmpeg", &text)));
    let clips = Clips::open(ClipsOptions { ffmpeg, ..options(&folder) }).expect("clips");
    let mut events = clips.events();
    clips.submit(id("a"), request(&server, server.start_ms(0), server.start_ms(1))).expect("a clip");
    until("the start of FFmpeg", || std::fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n'))).await;
    assert!(matches!(clips.get(&id("a")).expect("the clip").state, ClipState::Cutting { .. }));
    assert_eq!(clips.cancel(&id("a")).expect("the clip").state, ClipState::Cancelled);
    assert!(clips.cancel(&id("a")).is_err());
    let pid = std::fs::read_to_string(&pid).expect("a process id");
    until("the end of FFmpeg", || !common::runs(pid.trim())).await;
    until("an empty folder", || clips_common::files(&folder).is_empty()).await;

    std::fs::write(&go, "").expect("a file");
    clips.retry(&id("a")).expect("the clip");
    assert!((probe(&done(&clips, "a").await).seconds - 2.0).abs() < 0.15);
    assert!(clips.retry(&id("a")).is_err(), "it did not fail");
    let mut shares = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Some(ClipState::Cutting { share }) = event.state {
            shares.push(share);
        }
    }
    assert!(shares.last().is_some_and(|share| *share > 0.9), "{shares:?}");
}

#[tokio::test]
async fn ffmpeg_that_is_killed_is_started_again_and_one_that_cannot_work_is_not() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let programs = TempDir::new().expect("a folder");
    let count = programs.path().join("count");
    let text = format!("echo x >> {0}\n[ $(wc -l < {0}) -ge 3 ] || kill -9 $$\nexec ffmpeg \"$@\"", count.display());
    let ffmpeg = Some(Program::at("ffmpeg", script(programs.path(), "ffmpeg", &text)));
    let clips = Clips::open(ClipsOptions { ffmpeg, ..options(&folder) }).expect("clips");
    clips.submit(id("a"), request(&server, server.start_ms(0), server.start_ms(1))).expect("a clip");
    done(&clips, "a").await;
    assert_eq!(std::fs::read_to_string(&count).expect("the count").lines().count(), 3);
    drop(clips);

    let folder = TempDir::new().expect("a folder");
    let text = "echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 228";
    let ffmpeg = Some(Program::at("ffmpeg", script(programs.path(), "full", text)));
    let clips = Clips::open(ClipsOptions { ffmpeg, ..options(&folder) }).expect("clips");
    clips.submit(id("a"), request(&server, server.start_ms(0), server.start_ms(1))).expect("a clip");
    let ClipState::Failed { reason } = settled(&clips, "a").await else { panic!("it cannot be made") };
    assert_eq!(reason, "The disk is full. Delete clips, or give them more space.");
    assert!(clips_common::files(&folder).is_empty());
}

#[tokio::test]
async fn what_was_said_is_asked_for_when_the_footage_is_there_and_burnt_in() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let start = server.start_ms(0);
    let said: AskCaptions = Arc::new(move |request| {
        assert_eq!(request.owner, "ada");
        let caption = Caption { text: "Welcome back".into(), start_ms: start + 1000, end_ms: start + 3000 };
        Box::pin(async move { vec![caption] })
    });
    let clips = Clips::open(ClipsOptions { captions: Some(said), ..options(&folder) }).expect("clips");
    let mut events = clips.events();
    let plain = ClipRequest { owner: "ada".into(), ..request(&server, start, start + 6000) };
    clips.submit(id("plain"), plain.clone()).expect("a clip");
    clips.submit(id("captioned"), ClipRequest { captioned: true, ..plain }).expect("a clip");
    let (plain, captioned) = (done(&clips, "plain").await, done(&clips, "captioned").await);
    assert!(difference(&plain, &captioned, 2.0).lower > 4.0);
    assert!(difference(&plain, &captioned, 4.5).lower < 1.0);
    assert_eq!(events.recv().await.expect("an event").owner, "ada");
}

#[tokio::test]
async fn footage_out_of_reach_is_refused() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let reach = Reach::only(|address| !address.is_loopback());
    let clips = Clips::open(ClipsOptions { reach, ..options(&folder) }).expect("clips");
    let live = request(&server, server.start_ms(0), server.start_ms(2));
    let recording = Footage { address: url(&server.url("/recording.mp4")), start_ms: Some(server.start_ms(0)) };
    clips.submit(id("file"), ClipRequest { footage: vec![recording], ..live.clone() }).expect("a clip");
    clips.submit(id("live"), live).expect("a clip");
    for (name, told) in [("live", "that this server does not read"), ("file", "is no HLS, or it is encrypted")] {
        let ClipState::Failed { reason } = settled(&clips, name).await else { panic!("it cannot be made") };
        assert!(reason.contains(told), "{reason}");
    }
    assert_eq!(server.asked(0), 0, "nothing was read");
}
