//! Addresses that are media already.

use url::Url;

use crate::resolve::{Kind, Resolved};

/// Files that FFmpeg reads by itself.
const FILES: &[&str] = &["mp4", "m4a", "mkv", "webm", "mov", "mp3", "wav", "ogg", "opus", "flac", "aac", "ts", "flv"];

/// What an address is where it names media by itself: HLS, DASH, RTMP, RTSP, SRT or a file. `None` where a platform has to
/// be asked.
///
/// ```
/// let url = "rtmp://studio.example/live/key".parse().unwrap();
/// assert!(tidemill_media::resolve::direct(&url).unwrap().is_live);
/// let page = "https://www.youtube.com/watch?v=abc".parse().unwrap();
/// assert!(tidemill_media::resolve::direct(&page).is_none());
/// ```
pub fn direct(url: &Url) -> Option<Resolved> {
    let ending =
        url.path().rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, end)| end.to_ascii_lowercase());
    let ending = ending.as_deref().unwrap_or_default();
    let (kind, is_live) = match (url.scheme(), ending) {
        // Whether it has ended, its playlist tells.
        ("http" | "https", "m3u8") => (Kind::Hls, true),
        ("http" | "https", "mpd") => (Kind::Direct, true),
        ("http" | "https", ending) if FILES.contains(&ending) => (Kind::Direct, false),
        ("file", _) => (Kind::Direct, false),
        ("rtmp" | "rtmps" | "rtmpt" | "rtsp" | "srt", _) => (Kind::Direct, true),
        _ => return None,
    };
    Some(Resolved::new(url.clone(), kind, is_live))
}
