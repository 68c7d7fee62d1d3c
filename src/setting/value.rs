//! Parsers of values. An error message says what the text must be, and continues after the setting's name.

use std::{path::PathBuf, str::FromStr, time::Duration};

/// A whole number.
pub fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("must be a whole number, not '{text}'"))
}

/// `true` or `false`.
pub fn switch(text: &str) -> Result<bool, String> {
    text.trim().parse().map_err(|_| format!("must be true or false, not '{text}'"))
}

/// An amount of money with at most six digits after the point, such as `2.50`, in millionths of its unit.
pub fn amount(text: &str) -> Result<u64, String> {
    let wrong = || format!("must be an amount such as 2.50, not '{text}'");
    let (units, parts) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if units.is_empty() || !digits(units) || !digits(parts) || parts.len() > 6 {
        return Err(wrong());
    }
    let micros = format!("{parts:0<6}").parse::<u64>().map_err(|_| wrong())?;
    let units = units.parse::<u64>().ok().and_then(|units| units.checked_mul(1_000_000));
    units.and_then(|units| units.checked_add(micros)).ok_or_else(wrong)
}

/// Any text; `None` if it is empty.
pub fn text(text: &str) -> Result<Option<String>, String> {
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// The path of a file or folder; `None` if the text is empty.
pub fn path(text: &str) -> Result<Option<PathBuf>, String> {
    Ok(Some(PathBuf::from(text)).filter(|_| !text.is_empty()))
}

/// Texts separated by commas, without empty ones.
pub fn list(text: &str) -> Result<Vec<String>, String> {
    Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(ToOwned::to_owned).collect())
}

/// Splits `30s` into 30 and `s`.
fn with_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, text[end..].trim()))
}

/// A whole number with a unit of time (`ms`, `s`, `m`, `h` or `d`), such as `30s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unit_ms = |unit| match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let millis = with_unit(text).and_then(|(count, unit)| count.checked_mul(unit_ms(unit)?));
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| format!("must be a duration such as 500ms, 30s, 5m, 2h or 7d, not '{text}'"))
}

/// A whole number with a unit of memory (`B`, `KiB`, `MiB` or `GiB`), such as `1MiB`.
pub fn bytes(text: &str) -> Result<usize, String> {
    let unit_bytes = |unit| match unit {
        "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = with_unit(text).and_then(|(count, unit)| usize::try_from(count).ok()?.checked_mul(unit_bytes(unit)?));
    bytes.ok_or_else(|| format!("must be a size such as 512KiB or 1MiB, not '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_millionths() {
        assert_eq!((amount("2.50"), amount("0"), amount("0.000001")), (Ok(2_500_000), Ok(0), Ok(1)));
        for wrong in ["", ".5", "1,5", "-1", "0.0000001", "99999999999999999999", "1.2.3", "two"] {
            assert!(amount(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_and_sizes_need_their_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Ok(Duration::from_hours(168)));
        assert!(duration("90").is_err() && duration("s").is_err() && duration("1.5s").is_err());
        assert_eq!(bytes("2 MiB"), Ok(2 << 20));
        assert!(bytes("2MB").is_err());
    }
}
