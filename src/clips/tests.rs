//! What a desk does with the clips of streams.

use std::{fs, path::PathBuf, sync::Arc};

use serde_json::json;
use tempfile::TempDir;
use tidemill_chat::Url;

use tidemill_media::{clips::Footage, process::Program};

use super::{All, Asked, ClipError, ClipSettings, Desk, Opening, desk::OF_STREAM};
use crate::sources::{Guard, Media};

const NOW_MS: i64 = 1_767_225_600_000;

fn opening(folder: Option<PathBuf>) -> Opening {
    Opening {
        settings: ClipSettings::default(),
        folder,
        media: Media::new(None, Guard { allows_private: true }),
        ffmpeg: None,
        captions: Arc::new(|_| Box::pin(async { Vec::new() })),
        now_ms: Arc::new(|| NOW_MS),
    }
}

fn asked(start_ms: i64) -> Asked {
    let asked = json!({ "start_ms": NOW_MS + start_ms, "end_ms": NOW_MS + start_ms + 5_000, "reason": "a\u{0}goal\n" });
    serde_json::from_value(asked).expect("a request")
}

/// Nothing answers there, so a clip waits.
fn nowhere() -> Footage {
    Footage { address: Url::parse("http://127.0.0.1:9/live.m3u8").expect("an address"), start_ms: None }
}

fn has_ffmpeg() -> bool {
    let there = std::process::Command::new("ffmpeg").arg("-version").output().is_ok();
    if !there {
        eprintln!("skipped: ffmpeg is missing; '.ci/prerequisites media' installs it");
    }
    there
}

#[tokio::test]
async fn without_a_place_for_files_the_remedy_is_told() {
    let desk = Desk::open(opening(None));
    let told = desk.trouble().expect("trouble").to_string();
    assert!(told.contains("set clips.folder, or data.dir"), "{told}");
    assert!(desk.list("ada").is_empty());
    assert_eq!(desk.erase("ada", None), Ok(0));
    let off = Opening { settings: ClipSettings { enabled: false, ..ClipSettings::default() }, ..opening(None) };
    assert!(Desk::open(off).trouble().expect("trouble").to_string().contains("clips.enabled"));
}

#[tokio::test]
async fn a_clip_belongs_to_its_stream_and_is_asked_for_once() {
    if !has_ffmpeg() {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let desk = Desk::open(opening(Some(folder.path().to_owned())));
    let mut told = desk.told();
    let clip = desk.submit("ada", asked(-60_000), nowhere()).expect("a clip");
    assert_eq!((clip.reason.as_str(), clip.stream_id.as_str()), ("agoal", "ada"));
    assert_eq!(desk.submit("ada", asked(-60_000), nowhere()).expect("the same").id, clip.id);
    assert_eq!(desk.list("ada").len(), 1);
    assert!(desk.list("eve").is_empty());
    for refused in
        [desk.one("eve", &clip.id).map(drop), desk.remove("eve", &clip.id), desk.cancel("eve", "../x").map(drop)]
    {
        assert!(matches!(refused, Err(ClipError::Missing { .. })), "{refused:?}");
    }
    assert!(matches!(desk.file("ada", &clip.id), Err(ClipError::Conflict { .. })), "it is not finished");
    let first = told.recv().await.expect("a change");
    assert_eq!((first.stream_id.as_str(), first.id), ("ada", clip.id.clone()));
    assert_eq!(desk.cancel("ada", &clip.id).expect("cancelled").state, "cancelled");
    // Asking again is how a person says that it is wanted after all.
    assert!(!desk.submit("ada", asked(-60_000), nowhere()).expect("again").is_final());
    desk.remove("ada", &clip.id).expect("removed");
    assert!(desk.list("ada").is_empty());
}

#[tokio::test]
async fn an_erasure_takes_the_clips_of_one_stream_and_spares_newer_ones() {
    if !has_ffmpeg() {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let desk = Desk::open(opening(Some(folder.path().to_owned())));
    desk.submit("ada", asked(-60_000), nowhere()).expect("a clip");
    desk.submit("eve", asked(-60_000), nowhere()).expect("a clip");
    let wish: All = serde_json::from_value(json!({ "when": "end" })).expect("a wish");
    desk.wish("ada", Some(wish.clone())).expect("kept");
    assert_eq!(desk.erase("ada", Some(NOW_MS - 1)), Ok(0), "they were asked for later");
    assert_eq!(desk.wished("ada"), Some(wish), "so was the wish");
    assert_eq!(desk.erase("ada", None), Ok(1));
    assert_eq!((desk.list("ada").len(), desk.list("eve").len()), (0, 1));
    assert!(desk.wishing().is_empty());
}

#[tokio::test]
async fn clips_and_wishes_survive_a_restart_and_too_many_are_refused() {
    if !has_ffmpeg() {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let desk = Desk::open(opening(Some(folder.path().to_owned())));
    let wish: All = serde_json::from_value(json!({ "when": "end", "shape": "portrait" })).expect("a wish");
    desk.wish("ada", Some(wish.clone())).expect("kept");
    for number in 0..OF_STREAM as i64 {
        desk.submit("ada", asked(-600_000 + number * 10_000), nowhere()).expect("a clip");
    }
    let refused = desk.submit("ada", asked(-6_000), nowhere());
    assert!(matches!(refused, Err(ClipError::Busy { .. })), "{refused:?}");
    desk.submit("eve", asked(-6_000), nowhere()).expect("others still may");
    let other = Desk::open(opening(Some(folder.path().to_owned())));
    let told = other.trouble().expect("trouble").to_string();
    assert!(told.contains("another process uses this folder"), "{told}");
    desk.close();
    let again = Desk::open(opening(Some(folder.path().to_owned())));
    // What was cut may need a moment to let go of the folder; each request tries again.
    for _ in 0..1_000 {
        if again.trouble().is_none() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!((again.list("ada").len(), again.wished("ada")), (OF_STREAM, Some(wish)));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told_and_tried_again() {
    if !has_ffmpeg() {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().join("clips");
    fs::write(&place, "a file").expect("written");
    let desk = Desk::open(opening(Some(place.clone())));
    assert!(desk.trouble().is_some());
    fs::remove_file(&place).expect("removed");
    assert_eq!(desk.trouble(), None);
}

#[tokio::test]
async fn without_ffmpeg_nothing_is_asked_for_and_what_is_there_can_be_erased() {
    let folder = TempDir::new().expect("a folder");
    let missing = Some(Program::at("no-such-ffmpeg", "/nowhere"));
    let desk = Desk::open(Opening { ffmpeg: missing, ..opening(Some(folder.path().to_owned())) });
    let refused = desk.submit("ada", asked(-60_000), nowhere()).expect_err("refused").to_string();
    assert!(refused.contains("no-such-ffmpeg is not installed"), "{refused}");
    assert_eq!(desk.erase("ada", None), Ok(0));
}
