//! Reads the values of options.

/// The slowest speed but 0. With it, a minute of a recording takes most of a day.
const SPEED_MIN: f64 = 0.001;

/// The most requests of an evaluation. A server gives so many.
const REQUESTS_MAX: usize = 10_000;

pub(super) fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed: &f64| speed.is_finite());
    let speed = speed.ok_or_else(|| "write a number, such as 1, 0.5 or 60".to_owned())?;
    if speed < 0.0 {
        return Err("the number must not be negative".to_owned());
    }
    let is_slow = speed > 0.0 && speed < SPEED_MIN;
    if is_slow { Err(format!("the number must be 0, or at least {SPEED_MIN}")) } else { Ok(speed) }
}

pub(super) fn url(text: &str) -> Result<String, String> {
    let scheme = ["http://", "https://"].iter().find(|scheme| text.starts_with(**scheme));
    let fix = || format!("write the server's address with http://, such as http://{}", text.trim_start_matches('/'));
    let scheme = scheme.ok_or_else(fix)?;
    if text.len() == scheme.len() { Err("the address has no host".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a share from 0 to 1, such as 0.98".to_owned())
}

pub(super) fn requests(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number: &usize| (1..=REQUESTS_MAX).contains(number));
    number.ok_or_else(|| format!("write a whole number from 1 to {REQUESTS_MAX}"))
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    speed(text).and_then(|speed| if speed > 0.0 { Ok(speed) } else { Err("the number must be above 0".to_owned()) })
}

pub(super) fn time_ms(text: &str) -> Result<i64, String> {
    let form =
        "write milliseconds since 1970, such as 1764489600000; `tidemill dlq list --records` shows each record's";
    text.parse().map_err(|_| form.to_owned())
}
