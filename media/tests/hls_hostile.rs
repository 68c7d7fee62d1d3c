//! Playlists that mean ill: no number, date or text of theirs stops a reader.

mod common;

use common::answers::Answers;
use common::{content, quick, url};
use tidemill_media::hls::{Begin, MediaPlaylist, Playlist, Timeline, parse};
use tidemill_media::resolve::direct;
use tidemill_media::{Audio, MediaError};

fn playlist(text: &str) -> MediaPlaylist {
    match parse(format!("#EXTM3U\n{text}").as_bytes(), &url("http://h/live.m3u8")).expect("a playlist") {
        Playlist::Media(playlist) => playlist,
        Playlist::Master(_) => panic!("no segments"),
    }
}

#[test]
fn the_greatest_numbers_are_read() {
    let most = u64::MAX;
    let list = playlist(&format!(
        "#EXT-X-TARGETDURATION:{most}\n#EXT-X-MEDIA-SEQUENCE:{most}\n#EXTINF:99999,\n#EXT-X-BYTERANGE:{most}@{most}\na.ts\n\
         #EXTINF:2,\n#EXT-X-BYTERANGE:{most}\nb.ts\n"
    ));
    assert_eq!((list.target_ms, list.segments[0].duration_ms), (3_600_000, 3_600_000.0), "an hour is the longest");
    let mut timeline = Timeline::new(Begin::Oldest, 0);
    assert_eq!(timeline.read(&list).len(), 2);
    assert!(timeline.read(&list).is_empty());
}

#[test]
fn a_length_that_is_no_number_is_none() {
    let Ok(Playlist::Media(list)) =
        parse(b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:nan,\na.ts\n", &url("http://h/live.m3u8"))
    else {
        return;
    };
    assert!(list.segments.iter().all(|segment| segment.duration_ms.is_finite()), "{list:?}");
}

#[test]
fn a_date_of_any_text_costs_no_segment() {
    for date in ["aéééééééé", "ééééééééZ", "", "+", "2026-01-01T00:00:00", "-99999-01-01T00:00:00Z"] {
        let list = playlist(&format!("#EXT-X-TARGETDURATION:2\n#EXT-X-PROGRAM-DATE-TIME:{date}\n#EXTINF:2,\na.ts\n"));
        assert_eq!(list.segments.len(), 1, "{date}");
    }
}

#[tokio::test]
async fn a_playlist_that_lists_itself_is_refused_and_not_asked_again_and_again() {
    let Some(_) = content() else { return };
    let server = Answers::of(|_| Some(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nlive.m3u8\n".to_vec()));
    let resolved = direct(&url(&server.url("/live.m3u8"))).expect("HLS");
    let error = Audio::open(&resolved, quick()).expect("FFmpeg").next().await.expect_err("no audio");
    assert!(matches!(error, MediaError::Refused { .. }), "{error}");
    assert_eq!(server.asked(), 2);
}
