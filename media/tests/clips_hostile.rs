//! Clips of streams that mean ill: what they may not do to this machine, and what the streamer is told.

mod clips_common;
mod common;

use std::fmt::Write as _;

use clips_common::{files, options, settled};
use common::answers::Answers;
use common::{content, until, url};
use tempfile::TempDir;
use tidemill_media::clips::{Footage, Shape};
use tidemill_media::{ClipId, ClipRequest, ClipState, Clips, ClipsOptions};

/// When the streams of these tests begin.
const START_MS: i64 = 1_700_000_000_000;
const START: &str = "2023-11-14T22:13:20Z";

/// A clip of a whole stream of this length.
fn clip(server: &Answers, path: &str, seconds: i64) -> ClipRequest {
    ClipRequest {
        title: "What a goal".into(),
        footage: vec![Footage { address: url(&server.url(path)), start_ms: None }],
        start_ms: START_MS,
        end_ms: START_MS + seconds * 1000,
        lead_in_ms: 0,
        shape: Shape::Landscape,
        captions: Vec::new(),
        captioned: false,
        owner: String::new(),
    }
}

async fn reason(options: ClipsOptions, request: ClipRequest) -> String {
    let clips = Clips::open(options).expect("clips");
    clips.submit(ClipId::new("a").expect("a name"), request).expect("a clip");
    match settled(&clips, "a").await {
        ClipState::Failed { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_segment_that_names_files_of_this_machine_is_no_footage() {
    let Some(content) = content() else { return };
    let manifest = String::from(
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" mediaPresentationDuration=\"PT6S\" \
         minBufferTime=\"PT2S\" profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\"><Period duration=\"PT6S\"><AdaptationSet \
         contentType=\"video\" mimeType=\"video/mp4\"><Representation id=\"1\" bandwidth=\"1000000\" width=\"640\" height=\"360\" \
         codecs=\"avc1.640028\"><BaseURL>../../../private.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>",
    );
    let server = Answers::of(move |path| match path {
        "/live.m3u8" => {
            let head = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-PROGRAM-DATE-TIME:";
            Some(format!("{head}{START}\n#EXTINF:6,\n0.ts\n#EXT-X-ENDLIST\n").into_bytes())
        }
        "/0.ts" => Some(manifest.clone().into_bytes()),
        _ => None,
    });
    let folder = TempDir::new().expect("a folder");
    std::fs::copy(content.recording(), folder.path().join("private.mp4")).expect("a file");
    let reason = reason(options(&folder), clip(&server, "/live.m3u8", 6)).await;
    assert!(reason.starts_with("The stream holds a kind of media that is not read."), "{reason}");
}

/// A stream of this many segments of so many milliseconds, with a line before each.
fn listed(count: usize, ms: usize, before: &str) -> Vec<u8> {
    let mut list = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PROGRAM-DATE-TIME:{START}\n");
    for number in 0..count {
        let _ = write!(list, "{before}#EXTINF:{}.{:03},\n{number}.ts\n", ms / 1000, ms % 1000);
    }
    (list + "#EXT-X-ENDLIST\n").into_bytes()
}

#[tokio::test]
async fn footage_that_takes_more_space_than_a_video_fails_the_clip_and_leaves_nothing() {
    let Some(_) = content() else { return };
    let server = Answers::of(|path| match path {
        "/live.m3u8" => Some(listed(10, 200, "")),
        _ => Some(vec![0; 2 << 20]),
    });
    let folder = TempDir::new().expect("a folder");
    let options = ClipsOptions { spare_bytes: 1 << 20, ..options(&folder) };
    let reason = reason(options, clip(&server, "/live.m3u8", 2)).await;
    assert!(reason.starts_with("The footage of the clip takes more space than"), "{reason}");
    until("an empty folder", || files(&folder).is_empty()).await;
}

#[tokio::test]
async fn one_segment_that_is_too_large_fails_the_clip_and_says_so() {
    let Some(_) = content() else { return };
    let server = Answers::of(|path| match path {
        "/live.m3u8" => Some(listed(2, 1000, "")),
        _ => Some(vec![0; 129 << 20]),
    });
    let folder = TempDir::new().expect("a folder");
    let reason = reason(options(&folder), clip(&server, "/live.m3u8", 2)).await;
    assert!(reason.starts_with("127.0.0.1 sends more than 128 MB at once."), "{reason}");
}

#[tokio::test]
async fn a_stream_that_breaks_off_again_and_again_is_not_cut() {
    let Some(_) = content() else { return };
    let server = Answers::of(|path| match path {
        "/live.m3u8" => Some(listed(60, 100, "#EXT-X-DISCONTINUITY\n")),
        _ => Some(vec![0; 188]),
    });
    let folder = TempDir::new().expect("a folder");
    let reason = reason(options(&folder), clip(&server, "/live.m3u8", 6)).await;
    assert!(reason.starts_with("The stream breaks off more than 19 times within the clip."), "{reason}");
    assert_eq!(server.asked(), 2 + 21, "two playlists, and no segment after the one too many");
}
