//! Playlists of the stream as it is now.

use std::fmt::Write;

use crate::content::{Content, SEGMENT_MS};
use crate::schedule::{Captions, Schedule};

/// The folder of captions.
pub(crate) const CAPTIONS: &str = "captions";

/// The playlist of variants.
pub(crate) fn master(schedule: &Schedule) -> String {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:4\n".to_owned();
    let mut captions = "";
    if schedule.captions != Captions::Off {
        text += "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,URI=\"captions.m3u8\"\n";
        captions = ",SUBTITLES=\"text\"";
    }
    text + &format!(
        "#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS=\"avc1.42c01e,mp4a.40.2\"{captions}\nvideo.m3u8\n"
    )
}

/// The playlist of segments `folder/N.ending` while `made` segments exist.
pub(crate) fn media(schedule: &Schedule, content: &Content, made: u64, (folder, ending): (&str, &str)) -> String {
    let made = schedule.ends_after.map_or(made, |end| made.min(end));
    let ended = schedule.ends_after == Some(made);
    let shown = if ended { made } else { schedule.faults.shown(made) };
    let first = if ended { 0 } else { shown.saturating_sub(schedule.window) };
    let pauses = |number: u64| schedule.faults.pauses.iter().any(|(before, _)| *before == number);
    let breaks = |number: u64| content.begins_again(number) || pauses(number);
    let gone = (0..first).filter(|&number| breaks(number)).count();
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-DISCONTINUITY-SEQUENCE:{gone}\n",
        SEGMENT_MS / 1000
    );
    if content.init().is_some() {
        let _ = writeln!(text, "#EXT-X-MAP:URI=\"{folder}/init.wav\"");
    }
    for number in first..shown {
        if breaks(number) {
            text += "#EXT-X-DISCONTINUITY\n";
        }
        if schedule.dated && (folder != CAPTIONS || schedule.captions_dated) {
            let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", date(start_ms(schedule, number)));
        }
        let _ = write!(text, "#EXTINF:{:.3},\n{folder}/{number}.{ending}\n", SEGMENT_MS as f64 / 1000.0);
    }
    if ended {
        text += "#EXT-X-ENDLIST\n";
    }
    text
}

/// The event time at which a segment begins.
pub(crate) fn start_ms(schedule: &Schedule, number: u64) -> i64 {
    schedule.start_ms + number as i64 * SEGMENT_MS + schedule.faults.paused_ms(number)
}

/// A time as the playlist writes it, in UTC.
fn date(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    // Days since 0000-03-01: a year that ends with February has its leap day last.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, milli) = (in_day / 1000 % 60, in_day % 1000);
    // With the zone as FFmpeg writes it.
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}+0000")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01T00:00:00.000+0000");
        assert_eq!(date(1_700_000_000_123), "2023-11-14T22:13:20.123+0000");
        assert_eq!(date(1_709_164_800_000), "2024-02-29T00:00:00.000+0000");
    }
}
