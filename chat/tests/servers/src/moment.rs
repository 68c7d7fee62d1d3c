//! Times as platforms write them.

/// A date and time of ISO 8601 with microseconds, as YouTube writes it.
pub(crate) fn iso(epoch_ms: i64) -> String {
    let (days, of_day) = (epoch_ms.div_euclid(86_400_000), epoch_ms.rem_euclid(86_400_000));
    // The year begins in March, so that a leap day is its last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, leap) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + leap;
    let (second, milli) = (of_day / 1_000, of_day % 1_000);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}417Z")
}

#[cfg(test)]
mod tests {
    use super::iso;

    #[test]
    fn dates_are_written_as_youtube_writes_them() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000417Z");
        assert_eq!(iso(1_709_208_000_123), "2024-02-29T12:00:00.123417Z");
        assert_eq!(iso(1_767_225_600_000), "2026-01-01T00:00:00.000417Z");
    }
}
