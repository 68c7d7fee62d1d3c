//! A playlist in our words, with event times.

use std::borrow::Cow;

use m3u8_rs::{AlternativeMediaType, KeyMethod};
use url::Url;

use crate::error::MediaError;

/// The longest segment that counts, in seconds.
const LONGEST_S: u64 = 3600;

/// What an address listed.
#[derive(Debug, Clone, PartialEq)]
pub enum Playlist {
    /// Variants of one stream.
    Master(Master),
    /// Segments.
    Media(MediaPlaylist),
}

/// Variants of one stream, and renditions beside them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Master {
    /// In the order of the playlist.
    pub variants: Vec<Variant>,
    /// Audio that comes apart from the video.
    pub audio: Vec<Rendition>,
    /// Captions as WebVTT.
    pub subtitles: Vec<Rendition>,
}

/// One quality of the stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Its playlist.
    pub address: Url,
    /// Bits per second.
    pub bandwidth: u64,
    /// Lines of the picture; `None` where the playlist does not tell, or there is no picture.
    pub height: Option<u64>,
    /// The group of its audio.
    pub audio_group: Option<String>,
}

/// Audio or captions in one language.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendition {
    /// Its playlist.
    pub address: Url,
    /// The group that variants name.
    pub group: String,
    /// Its language, for example `en`.
    pub language: Option<String>,
    /// Whether players take it unless told otherwise.
    pub default: bool,
    /// Whether it holds only what viewers cannot do without, such as words in another language.
    pub forced: bool,
}

/// The segments that can be had now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MediaPlaylist {
    /// Oldest first, numbered without gaps.
    pub segments: Vec<Segment>,
    /// The longest segment, in milliseconds; at least 1.
    pub target_ms: i64,
    /// Whether no more will come.
    pub ended: bool,
}

/// A part of a resource: its first byte and length, or all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The resource.
    pub address: Url,
    /// First byte and number of bytes.
    pub range: Option<(u64, u64)>,
}

/// A few seconds of the stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Its number.
    pub sequence: u64,
    /// Where its bytes are.
    pub part: Part,
    /// Its length in milliseconds.
    pub duration_ms: f64,
    /// When it begins, where the playlist tells by `EXT-X-PROGRAM-DATE-TIME`.
    pub start_ms: Option<i64>,
    /// Whether its media does not continue that of the segment before.
    pub discontinuity: bool,
    /// What a decoder must read before it: fragmented MP4 has this.
    pub init: Option<Part>,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// Reads a playlist that came from `base`.
///
/// # Errors
/// [`MediaError::Refused`] where it is not a playlist, or names addresses that are not http or https.
pub fn parse(bytes: &[u8], base: &Url) -> Result<Playlist, MediaError> {
    let not_one = || {
        MediaError::refused(
            "The address did not answer with an HLS playlist.",
            "Check that it names a playlist (.m3u8) of the stream.",
        )
    };
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if !text.starts_with("#EXTM3U") {
        return Err(not_one());
    }
    match m3u8_rs::parse_playlist_res(readable(text).as_bytes()).map_err(|_| not_one())? {
        m3u8_rs::Playlist::MasterPlaylist(list) => master(list, base).map(Playlist::Master),
        m3u8_rs::Playlist::MediaPlaylist(list) => media(list, base).map(Playlist::Media),
    }
}

/// Dates as the parser takes them: FFmpeg writes zones as `+0000`, the parser wants `+00:00`.
fn readable(text: &str) -> Cow<'_, str> {
    const TAG: &str = "#EXT-X-PROGRAM-DATE-TIME:";
    if !text.contains(TAG) {
        return Cow::Borrowed(text);
    }
    let line = |line: &str| {
        let Some(date) = line.strip_prefix(TAG) else { return line.to_owned() };
        let date = date.trim();
        let zone = date.len().checked_sub(5).and_then(|at| date.split_at_checked(at));
        match zone {
            Some((time, zone))
                if zone.starts_with(['+', '-']) && zone[1..].bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                format!("{TAG}{time}{}:{}", &zone[..3], &zone[3..])
            }
            // A date without a zone is in UTC: encoders that leave it out mean that.
            _ if date.get(10..).is_some_and(|time| !time.is_empty() && !time.contains(['+', '-', 'Z'])) => {
                format!("{TAG}{date}Z")
            }
            _ => format!("{TAG}{date}"),
        }
    };
    Cow::Owned(text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n")
}

fn address(base: &Url, uri: &str) -> Result<Url, MediaError> {
    let url = base.join(uri.trim()).map_err(|_| {
        MediaError::refused(
            "The playlist of the stream holds an address that cannot be read.",
            "Ask the owner of the stream to repair it.",
        )
    })?;
    if matches!(url.scheme(), "http" | "https") {
        return Ok(url);
    }
    Err(MediaError::refused(
        format!("The playlist of the stream names an address of kind '{}'.", url.scheme()),
        "Only http and https are read from a playlist.",
    ))
}

fn master(list: m3u8_rs::MasterPlaylist, base: &Url) -> Result<Master, MediaError> {
    let mut master = Master::default();
    for variant in list.variants.into_iter().filter(|variant| !variant.is_i_frame) {
        master.variants.push(Variant {
            address: address(base, &variant.uri)?,
            bandwidth: variant.bandwidth,
            height: variant.resolution.map(|resolution| resolution.height),
            audio_group: variant.audio,
        });
    }
    for media in list.alternatives {
        let Some(uri) = &media.uri else { continue };
        let to = match media.media_type {
            AlternativeMediaType::Audio => &mut master.audio,
            AlternativeMediaType::Subtitles => &mut master.subtitles,
            _ => continue,
        };
        to.push(Rendition {
            address: address(base, uri)?,
            group: media.group_id,
            language: media.language,
            default: media.default,
            forced: media.forced,
        });
    }
    Ok(master)
}

fn media(list: m3u8_rs::MediaPlaylist, base: &Url) -> Result<MediaPlaylist, MediaError> {
    let target_ms = i64::try_from(list.target_duration.min(LONGEST_S)).unwrap_or(1).saturating_mul(1000).max(1);
    let mut playlist = MediaPlaylist { segments: Vec::new(), target_ms, ended: list.end_list };
    let mut init: Option<Part> = None;
    let mut encrypted = false;
    let mut range_end = 0;
    for (index, segment) in list.segments.into_iter().enumerate() {
        let range = |length: u64, offset: Option<u64>, before: u64| (offset.unwrap_or(before), length);
        if let Some(map) = segment.map {
            let range = map.byte_range.map(|bytes| range(bytes.length, bytes.offset, 0));
            init = Some(Part { address: address(base, &map.uri)?, range });
        }
        if let Some(key) = segment.key {
            encrypted = key.method != KeyMethod::None;
        }
        let range = segment.byte_range.map(|bytes| range(bytes.length, bytes.offset, range_end));
        range_end = range.map_or(0, |(from, length)| from.saturating_add(length));
        playlist.segments.push(Segment {
            sequence: list.media_sequence.saturating_add(index as u64),
            part: Part { address: address(base, &segment.uri)?, range },
            // What is no number is 0, too.
            duration_ms: f64::from(segment.duration.max(0.0).min(LONGEST_S as f32)) * 1000.0,
            start_ms: segment.program_date_time.map(|date| date.timestamp_millis()),
            discontinuity: segment.discontinuity,
            init: init.clone(),
            encrypted,
        });
    }
    date_the_rest(&mut playlist.segments);
    Ok(playlist)
}

/// One date is enough: it holds for the segments after it, and the first one also for those before it.
fn date_the_rest(segments: &mut [Segment]) {
    let mut next: Option<f64> = None;
    for segment in segments.iter_mut() {
        let start = segment.start_ms.map(|ms| ms as f64).or(next);
        segment.start_ms = start.map(|ms| ms.round() as i64);
        next = start.map(|ms| ms + segment.duration_ms);
    }
    let mut following: Option<f64> = None;
    for segment in segments.iter_mut().rev() {
        let start = segment.start_ms.map(|ms| ms as f64).or(following.map(|ms| ms - segment.duration_ms));
        segment.start_ms = start.map(|ms| ms.round() as i64);
        following = start;
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{MediaPlaylist, Playlist, parse};

    fn base() -> Url {
        Url::parse("https://cdn.example/live/index.m3u8").expect("an address")
    }

    fn media(text: &str) -> MediaPlaylist {
        match parse(text.as_bytes(), &base()) {
            Ok(Playlist::Media(list)) => list,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_date_tells_the_times_of_all_segments() {
        let list = media(
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2,\na.ts\n\
             #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10.000Z\n#EXTINF:1.5,\nb.ts\n#EXTINF:2,\nc.ts\n",
        );
        let starts: Vec<_> = list.segments.iter().map(|segment| (segment.sequence, segment.start_ms)).collect();
        assert_eq!(starts, [(7, Some(8_000)), (8, Some(10_000)), (9, Some(11_500))]);
        assert!(!list.ended);
    }

    #[test]
    fn zones_are_read_as_encoders_write_them() {
        for date in [
            "1970-01-01T01:00:10.000+0100",
            "1970-01-01T01:00:10+01:00",
            "1970-01-01T00:00:10.000",
            "1970-01-01T00:00:10Z",
        ] {
            let list = media(&format!(
                "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PROGRAM-DATE-TIME:{date}\n#EXTINF:2,\na.ts\n"
            ));
            assert_eq!(list.segments[0].start_ms, Some(10_000), "{date}");
        }
        let bad = media("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PROGRAM-DATE-TIME:soon\n#EXTINF:2,\na.ts\n");
        assert_eq!(bad.segments.len(), 1, "a date that cannot be read costs no segment");
        assert_eq!(bad.segments[0].start_ms, None);
    }

    #[test]
    fn a_map_and_byte_ranges_stay_in_force() {
        let list = media(
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2,\n#EXT-X-BYTERANGE:100@50\nall.m4s\n\
             #EXTINF:2,\n#EXT-X-BYTERANGE:30\nall.m4s\n",
        );
        assert!(list.segments.iter().all(|segment| segment.init.is_some()));
        assert_eq!(list.segments[1].part.range, Some((150, 30)));
    }

    #[test]
    fn a_playlist_from_the_network_cannot_name_files() {
        let error =
            parse(b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/passwd\n", &base()).expect_err("a file");
        assert!(error.to_string().contains("'file'"), "{error}");
        assert!(parse(b"<html>", &base()).is_err());
    }

    #[test]
    fn a_master_playlist_lists_variants_audio_and_captions() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",LANGUAGE=\"en\",DEFAULT=YES,URI=\"audio.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"en\",LANGUAGE=\"en\",URI=\"text.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,AUDIO=\"a\",SUBTITLES=\"s\"\nlow.m3u8\n";
        let Ok(Playlist::Master(master)) = parse(text.as_bytes(), &base()) else { panic!("no master playlist") };
        assert_eq!(master.variants[0].height, Some(360));
        assert_eq!(master.audio[0].address.as_str(), "https://cdn.example/live/audio.m3u8");
        assert_eq!(master.subtitles[0].language.as_deref(), Some("en"));
    }
}
