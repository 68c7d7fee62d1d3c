//! What yt-dlp tells about a stream.

use serde::Deserialize;
use url::Url;

use crate::error::MediaError;
use crate::resolve::{Kind, Resolved};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Info {
    title: Option<String>,
    #[serde(flatten)]
    format: Format,
    requested_formats: Option<Vec<Format>>,
    is_live: Option<bool>,
    live_status: Option<String>,
    release_timestamp: Option<f64>,
    timestamp: Option<f64>,
    entries: Option<Vec<Info>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Format {
    url: Option<Url>,
    manifest_url: Option<Url>,
    protocol: Option<String>,
    vcodec: Option<String>,
}

impl Format {
    /// DASH has an address for each piece: FFmpeg reads the list of them.
    fn address(&self) -> Option<Url> {
        let is_dash = self.protocol.as_deref().is_some_and(|protocol| protocol.contains("dash"));
        let listed = if is_dash { self.manifest_url.as_ref() } else { None };
        listed.or(self.url.as_ref()).or(self.manifest_url.as_ref()).cloned()
    }

    fn kind(&self) -> Kind {
        let is_hls = self.protocol.as_deref().is_some_and(|protocol| protocol.starts_with("m3u8"));
        if is_hls { Kind::Hls } else { Kind::Direct }
    }
}

/// Reads the answer of `--dump-single-json`.
pub(super) fn read(answer: &[u8]) -> Result<Resolved, MediaError> {
    let useless = || {
        MediaError::refused(
            "yt-dlp found no media on this page.",
            "Check that the address opens the stream itself, and that yt-dlp is new: 'pip install --upgrade yt-dlp'.",
        )
    };
    let mut info: Info = serde_json::from_slice(answer).map_err(|_| useless())?;
    if let Some(first) = info.entries.take().and_then(|entries| entries.into_iter().next()) {
        info = first;
    }
    if info.live_status.as_deref() == Some("is_upcoming") {
        return Err(not_live());
    }
    let parts = info.requested_formats.unwrap_or_default();
    let (picture, sound): (Vec<_>, Vec<_>) = parts.iter().partition(|format| format.vcodec.as_deref() != Some("none"));
    let (format, sound) = match (picture.first(), sound.first()) {
        (Some(picture), Some(sound)) => (*picture, sound.address()),
        _ => (&info.format, None),
    };
    let media = format.address().ok_or_else(useless)?;
    if !matches!(media.scheme(), "http" | "https" | "rtmp" | "rtmps" | "rtmpt" | "rtsp" | "srt") {
        return Err(useless());
    }
    let began = info.release_timestamp.or(info.timestamp).map(|seconds| (seconds * 1000.0).round() as i64);
    let is_live = info.is_live.unwrap_or(false) || info.live_status.as_deref() == Some("is_live");
    let kind = format.kind();
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
    let listed_in = format.manifest_url.clone().filter(|url| kind == Kind::Hls && is_http(url));
    Ok(Resolved { title: info.title, kind, media, sound, listed_in, is_live, started_ms: began })
}

pub(super) fn not_live() -> MediaError {
    MediaError::NotLive {
        reason: "The stream is not live.".into(),
        remedy: "Start the source again when it is, or give the address of a recording.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::resolve::Kind;

    #[test]
    fn a_live_stream_is_a_playlist_with_a_title_and_a_beginning() {
        let answer = br#"{"id":"a","title":"The final","url":"https://cdn.example/i.m3u8?sig=1","protocol":"m3u8_native",
            "manifest_url":"https://cdn.example/all.m3u8?sig=2",
            "is_live":true,"live_status":"is_live","release_timestamp":1700000000,"timestamp":5,"formats":[{"url":"https://x/y"}]}"#;
        let resolved = read(answer).expect("a stream");
        assert_eq!((resolved.kind, resolved.is_live, resolved.started_ms), (Kind::Hls, true, Some(1_700_000_000_000)));
        assert_eq!(resolved.title.as_deref(), Some("The final"));
        assert_eq!(resolved.listed_in.as_ref().map(url::Url::path), Some("/all.m3u8"));
        assert!(!format!("{resolved:?}").contains("sig="), "{resolved:?}");
    }

    #[test]
    fn a_recording_may_have_its_sound_apart() {
        let answer = br#"{"title":"t","requested_formats":[
            {"url":"https://cdn.example/v","protocol":"https","vcodec":"avc1","acodec":"none"},
            {"url":"https://cdn.example/a","protocol":"https","vcodec":"none","acodec":"opus"}],"live_status":"was_live"}"#;
        let resolved = read(answer).expect("a recording");
        assert_eq!(resolved.media.path(), "/v");
        assert_eq!(resolved.sound.expect("sound").path(), "/a");
        assert!(!resolved.is_live);
    }

    #[test]
    fn the_first_stream_of_a_channel_counts_and_a_page_without_one_is_an_error() {
        let channel = br#"{"_type":"playlist","entries":[{"url":"https://cdn.example/a.mp4","protocol":"https"}]}"#;
        assert_eq!(read(channel).expect("a stream").kind, Kind::Direct);
        for useless in [&b"null"[..], b"", b"{}", br#"{"entries":[]}"#, br#"{"url":"file:///etc/passwd"}"#] {
            assert!(read(useless).expect_err("nothing").to_string().contains("no media"));
        }
        assert!(read(br#"{"live_status":"is_upcoming"}"#).expect_err("later").to_string().contains("not live"));
    }
}
