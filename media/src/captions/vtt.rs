//! WebVTT as live streams carry it: cues, and the header that ties their times to the clock of the media.
//!
//! Whatever cannot be read is left out, and the rest counts: one bad cue of an encoder must not cost the others.

use crate::captions::clock::WRAP;
use crate::captions::text::lines;

/// Ticks of the media's clock in a millisecond.
pub(super) const TICKS_PER_MS: i64 = 90;

/// A segment of captions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Vtt {
    /// Which time of the cues is which tick of the media's clock; the standard says 0 and 0 where nothing is told.
    pub(super) map: Option<Map>,
    /// In the order of the file.
    pub(super) cues: Vec<Cue>,
}

/// `X-TIMESTAMP-MAP`: this time of the cues is this tick of the media's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Map {
    pub(super) ticks: i64,
    pub(super) local_ms: i64,
}

/// A text and when it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cue {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    /// Plain text, without empty lines; at least one.
    pub(super) lines: Vec<String>,
}

/// Reads a segment; `None` if it is not WebVTT. An empty one has no cues.
pub(super) fn parse(bytes: &[u8]) -> Option<Vtt> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim_start_matches('\u{feff}');
    let mut rest = text.split('\n').peekable();
    match rest.next()?.strip_prefix("WEBVTT") {
        Some(more) if more.is_empty() || more.starts_with([' ', '\t']) => {}
        _ if text.trim().is_empty() => return Some(Vtt::default()),
        _ => return None,
    }
    let mut vtt = Vtt::default();
    // Identifiers, notes, styles and regions have no arrow, so they are passed over.
    while let Some(line) = rest.next() {
        if let Some(told) = line.trim().strip_prefix("X-TIMESTAMP-MAP=").filter(|_| vtt.cues.is_empty()) {
            vtt.map = map(told);
        }
        let Some((start_ms, end_ms)) = timing(line) else { continue };
        let mut shown = String::new();
        while let Some(line) = rest.next_if(|line| !line.trim().is_empty() && !line.contains("-->")) {
            shown.push_str(line);
            shown.push('\n');
        }
        let lines = lines(&shown);
        if end_ms > start_ms && !lines.is_empty() {
            vtt.cues.push(Cue { start_ms, end_ms, lines });
        }
    }
    Some(vtt)
}

/// `MPEGTS:…,LOCAL:…`, in any order.
fn map(told: &str) -> Option<Map> {
    let of = |name: &str| told.split(',').find_map(|part| part.trim().strip_prefix(name));
    let ticks: u64 = of("MPEGTS:")?.trim().parse().ok()?;
    Some(Map { ticks: i64::try_from(ticks % WRAP.unsigned_abs()).ok()?, local_ms: time(of("LOCAL:")?.trim())? })
}

/// `START --> END SETTINGS`.
fn timing(line: &str) -> Option<(i64, i64)> {
    let (start, rest) = line.split_once("-->")?;
    Some((time(start.trim())?, time(rest.split_whitespace().next()?)?))
}

/// A time in milliseconds: minutes and seconds, and hours if there are some.
pub(super) fn time(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let is_number = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = [0; 3];
    let told: Vec<&str> = whole.split(':').collect();
    if !(2..=3).contains(&told.len()) || !(fraction.is_empty() || is_number(fraction)) {
        return None;
    }
    for (part, text) in parts.iter_mut().rev().zip(told.iter().rev()) {
        *part = text.parse::<i64>().ok().filter(|_| is_number(text))?;
    }
    let [hours, minutes, seconds] = parts;
    let thousandths = format!("{fraction:0<3}")[..3].parse::<i64>().ok()?;
    (minutes < 60 && seconds < 60).then_some(((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Cue, Map, parse, time};

    fn cue(start_ms: i64, end_ms: i64, lines: &[&str]) -> Cue {
        Cue { start_ms, end_ms, lines: lines.iter().map(|&line| line.to_owned()).collect() }
    }

    #[test]
    fn cues_are_read_whatever_stands_around_them() {
        let text = "\u{feff}WEBVTT - captions\r\nX-TIMESTAMP-MAP=LOCAL:00:00:10.000,MPEGTS:900000\r\n\r\n\
             NOTE a remark\r\nof two lines\r\n\r\nSTYLE\r\n::cue { color: red }\r\n\r\nREGION\r\nid:a\r\n\r\n\
             17\r\n00:01.500 --> 00:02.000 align:start line:85%\r\n<c.yellow>Hello</c> <00:00:01.700>all\r\nof you\r\n\r\n\
             100:00:00.000 --> 100:00:01.000\r\nlate";
        let vtt = parse(text.as_bytes()).expect("WebVTT");
        assert_eq!(vtt.map, Some(Map { ticks: 900_000, local_ms: 10_000 }));
        assert_eq!(vtt.cues, [cue(1500, 2000, &["Hello all", "of you"]), cue(360_000_000, 360_001_000, &["late"])]);
    }

    #[test]
    fn a_bad_cue_does_not_cost_the_others() {
        let text = "WEBVTT\rX-TIMESTAMP-MAP=MPEGTS:soon\r\rsoon --> later\rlost\r\r00:05.000 --> 00:04.000\rbackwards\r\r\
             00:06.000-->00:07.000\r00:07.000 --> 00:08.000\rkept\r\r00:08.000 --> 00:09.000\r<i> </i>";
        let vtt = parse(text.as_bytes()).expect("WebVTT");
        assert_eq!((vtt.map, vtt.cues), (None, vec![cue(7000, 8000, &["kept"])]));
    }

    #[test]
    fn what_is_not_webvtt_is_told_from_what_has_no_cues() {
        for empty in [&b"WEBVTT"[..], b"WEBVTT\n\n", b"", b"\n", b"\xef\xbb\xbfWEBVTT\ttext\n"] {
            assert_eq!(parse(empty).map(|vtt| vtt.cues), Some(Vec::new()));
        }
        for other in [&b"<html>"[..], b"WEBVTTX", b"\0\0\0\x1cftypmp42", b"1\n00:01.000 --> 00:02.000\ntext"] {
            assert_eq!(parse(other), None);
        }
    }

    #[test]
    fn times_have_minutes_and_seconds_at_least() {
        assert_eq!(time("01:02:03.004"), Some(3_723_004));
        assert_eq!(time("1:02,5"), Some(62_500));
        assert_eq!(time("00:07"), Some(7000));
        for bad in ["", "7", "7.000", "00:60.000", "60:00.000", "-1:00.000", "a:00.000", "1:2:3:4", "0:0.x", "00:0²"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let _ = parse(&[b"WEBVTT\n".as_slice(), &bytes].concat());
        }

        #[test]
        fn no_text_near_webvtt_panics(text in "WEBVTT(\n|\r|[ \tX:MPEGTSLOCAL=,.0-9<>/&;#a-zé²-]|-->|X-TIMESTAMP-MAP=){0,80}") {
            if let Some(vtt) = parse(text.as_bytes()) {
                prop_assert!(vtt.cues.iter().all(|cue| cue.end_ms > cue.start_ms && !cue.lines.is_empty()));
            }
        }
    }
}
