//! The clock of the media: the tick at which a segment's media begins. Captions are timed by it.

use crate::captions::vtt::TICKS_PER_MS;

/// The clock has 33 bits, and begins anew after 26 hours.
pub(super) const WRAP: i64 = 1 << 33;
/// The length of a packet of MPEG-TS, and its first byte.
const PACKET: usize = 188;
const SYNC: u8 = 0x47;

/// From one tick to another, the short way round.
pub(super) fn ticks_between(from: i64, to: i64) -> i64 {
    let distance = to.wrapping_sub(from).rem_euclid(WRAP);
    if distance < WRAP / 2 { distance } else { distance - WRAP }
}

/// The first tick of a segment; `init` is what a decoder reads before it, if there is something. `None` if the media is
/// neither MPEG-TS nor fragmented MP4, or its beginning is not there.
pub(super) fn first_tick(segment: &[u8], init: Option<&[u8]>) -> Option<i64> {
    match init {
        Some(init) => first_of_mp4(segment, init),
        None => first_of_ts(segment),
    }
}

/// The presentation time of the first audio or video in MPEG-TS.
fn first_of_ts(segment: &[u8]) -> Option<i64> {
    segment.chunks_exact(PACKET).take_while(|packet| packet[0] == SYNC).find_map(|packet| {
        let begins = packet[1] & 0x40 != 0;
        let has_payload = packet[3] & 0x10 != 0;
        let skipped = if packet[3] & 0x20 != 0 { 1 + usize::from(packet[4]) } else { 0 };
        let pes = packet.get(4 + skipped..).filter(|_| begins && has_payload)?;
        let is_media = pes.starts_with(&[0, 0, 1]) && pes.get(3).is_some_and(|id| (0xc0..=0xef).contains(id));
        let has_time = pes.get(7).is_some_and(|flags| flags & 0x80 != 0);
        let time: [u8; 5] = pes.get(9..14).filter(|_| is_media && has_time)?.try_into().ok()?;
        // The bits of the time, with a mark after the first three and after each fifteen.
        let bits = time.iter().fold(0, |bits, &byte| bits << 8 | i64::from(byte));
        Some((bits >> 3) & (0x7 << 30) | (bits >> 2) & (0x7fff << 15) | (bits >> 1) & 0x7fff)
    })
}

/// The decode time of the first fragment in MP4, in the clock's ticks. Of several tracks, the first one counts.
fn first_of_mp4(segment: &[u8], init: &[u8]) -> Option<i64> {
    let fragment = inside(inside(segment, *b"moof")?, *b"traf")?;
    let track = number(inside(fragment, *b"tfhd")?, 4, 4)?;
    let time = inside(fragment, *b"tfdt")?;
    let began = number(time, 4, if time.first() == Some(&1) { 8 } else { 4 })?;
    let mut tracks = boxes(inside(init, *b"moov")?).filter(|(name, _)| name == b"trak").map(|(_, body)| body);
    // The header of a track has two times before its number; a newer one has longer times.
    let number_of = |track: &[u8]| {
        let header = inside(track, *b"tkhd")?;
        number(header, if header.first() == Some(&1) { 20 } else { 12 }, 4)
    };
    let header = inside(inside(tracks.find(|&each| number_of(each) == Some(track))?, *b"mdia")?, *b"mdhd")?;
    let scale = number(header, if header.first() == Some(&1) { 20 } else { 12 }, 4).filter(|&scale| scale > 0)?;
    let ticks = i128::from(began) * 1000 * i128::from(TICKS_PER_MS) / i128::from(scale);
    i64::try_from(ticks % i128::from(WRAP)).ok()
}

/// A number of so many bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    Some(bytes.get(at..at + length)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// The boxes of an MP4, by name. The last one may be cut off.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let name = bytes.get(4..8)?;
        let (head, told) = match number(bytes, 0, 4)? {
            0 => (8, bytes.len() as u64),
            1 => (16, number(bytes, 8, 8)?),
            told => (8, told),
        };
        let end = usize::try_from(told).ok()?.min(bytes.len());
        let body = bytes.get(head..end)?;
        bytes = &bytes[end..];
        Some((name, body))
    })
}

fn inside(bytes: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    boxes(bytes).find(|(name, _)| *name == wanted).map(|(_, body)| body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{PACKET, first_tick, ticks_between};

    /// A packet of MPEG-TS with this payload.
    fn packet(begins: bool, payload: &[u8]) -> Vec<u8> {
        let stuffing = PACKET - 5 - payload.len();
        let mut packet = vec![0x47, if begins { 0x41 } else { 0x01 }, 0, 0x30, u8::try_from(stuffing).expect("small")];
        packet.resize(PACKET - payload.len(), 0xff);
        packet.extend(payload);
        packet
    }

    fn named(name: [u8; 4], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 8).expect("small").to_be_bytes();
        [&length[..], &name, body].concat()
    }

    #[test]
    fn the_first_time_of_audio_or_video_counts() {
        let table = packet(true, &[0, 0, 0xb0, 0x0d]);
        let private = packet(true, &[0, 0, 1, 0xbd, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1]);
        // 900,000 ticks.
        let video = packet(true, &[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, 0x21, 0x00, 0x37, 0x77, 0x41]);
        let later = packet(true, &[0, 0, 1, 0xc0, 0, 0, 0x80, 0x80, 5, 0x2f, 0xff, 0xff, 0xff, 0xff]);
        let rest = packet(false, &[1; 100]);
        assert_eq!(first_tick(&[table.clone(), private, rest, video, later.clone()].concat(), None), Some(900_000));
        assert_eq!(first_tick(&[table, later].concat(), None), Some((1 << 33) - 1));
        assert_eq!(first_tick(b"no packets", None), None);
    }

    #[test]
    fn fragments_of_mp4_tell_their_time_in_the_scale_of_their_track() {
        let track = |number: u8, scale: u32| {
            let header = named(*b"tkhd", &[&[0; 12][..], &[0, 0, 0, number], &[0; 60]].concat());
            let media = named(*b"mdhd", &[&[0; 12][..], &scale.to_be_bytes(), &[0; 8]].concat());
            named(*b"trak", &[header, named(*b"mdia", &media)].concat())
        };
        let init = [
            named(*b"ftyp", b"iso5"),
            named(*b"moov", &[named(*b"mvhd", &[0; 8]), track(1, 48_000), track(2, 1000)].concat()),
        ]
        .concat();
        let fragment = |number: u8| {
            let head = named(*b"tfhd", &[0, 0, 0, 0, 0, 0, 0, number]);
            let time = named(*b"tfdt", &[&[1, 0, 0, 0][..], &96_000_u64.to_be_bytes()].concat());
            [named(*b"moof", &named(*b"traf", &[head, time].concat())), named(*b"mdat", b"...")].concat()
        };
        assert_eq!(first_tick(&fragment(1), Some(&init)), Some(180_000));
        assert_eq!(first_tick(&fragment(2), Some(&init)), Some(96 * 90_000));
        assert_eq!(first_tick(&fragment(3), Some(&init)), None);
    }

    #[test]
    fn the_clock_begins_anew() {
        assert_eq!(ticks_between((1 << 33) - 10, 5), 15);
        assert_eq!(ticks_between(5, (1 << 33) - 10), -15);
        assert_eq!(ticks_between(-20, 10), 30);
    }

    proptest! {
        #[test]
        fn no_media_panics(segment in proptest::collection::vec(any::<u8>(), 0..600), init in proptest::collection::vec(any::<u8>(), 0..90)) {
            let packets: Vec<u8> = segment.chunks(180).flat_map(|part| [&[0x47], part].concat()).collect();
            let _ = (first_tick(&segment, None), first_tick(&packets, None), first_tick(&segment, Some(&init)));
        }

        #[test]
        fn no_boxes_panic(bytes in proptest::collection::vec(0_u8..20, 0..60)) {
            let fragment = named(*b"moof", &named(*b"traf", &bytes));
            let _ = first_tick(&fragment, Some(&named(*b"moov", &named(*b"trak", &bytes))));
        }
    }
}
