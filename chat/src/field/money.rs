//! Money as platforms write it.

use tidemill_schemas::Amount;

const MICROS_MAX: i64 = 1_000_000_000_000_000;

/// What people write for a currency. A bare dollar sign is the United States' dollar, because platforms mark the others.
const SIGNS: [(&str, &str); 28] = [
    ("CA$", "CAD"),
    ("A$", "AUD"),
    ("AU$", "AUD"),
    ("NZ$", "NZD"),
    ("HK$", "HKD"),
    ("NT$", "TWD"),
    ("MX$", "MXN"),
    ("R$", "BRL"),
    ("US$", "USD"),
    ("S$", "SGD"),
    ("CLP$", "CLP"),
    ("ARS$", "ARS"),
    ("COL$", "COP"),
    ("$", "USD"),
    ("€", "EUR"),
    ("£", "GBP"),
    ("¥", "JPY"),
    ("￥", "JPY"),
    ("₩", "KRW"),
    ("₹", "INR"),
    ("₽", "RUB"),
    ("₱", "PHP"),
    ("₫", "VND"),
    ("₺", "TRY"),
    ("₴", "UAH"),
    ("₪", "ILS"),
    ("zł", "PLN"),
    ("kr", "SEK"),
];

/// An amount that the applications accept: more than nothing, in a currency of three letters.
pub fn amount_of(micros: i64, currency: &str) -> Option<Amount> {
    let currency = currency.trim().to_ascii_uppercase();
    let fits = (1..=MICROS_MAX).contains(&micros);
    let is_code = currency.len() == 3 && currency.bytes().all(|letter| letter.is_ascii_uppercase());
    (fits && is_code).then_some(Amount { micros, currency })
}

/// What Twitch's Bits are worth to the streamer: a cent each.
pub fn bits(count: u64) -> Option<Amount> {
    i64::try_from(count).ok()?.checked_mul(10_000).and_then(|micros| amount_of(micros, "USD"))
}

/// An amount as a page shows it.
///
/// ```
/// use tidemill_chat::field::parse_money;
///
/// let amount = parse_money("CA$1,234.50").unwrap();
/// assert_eq!((amount.micros, amount.currency.as_str()), (1_234_500_000, "CAD"));
/// assert_eq!(parse_money("4,99 €").unwrap().micros, 4_990_000);
/// assert_eq!(parse_money("for nothing"), None);
/// ```
pub fn parse_money(text: &str) -> Option<Amount> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let first = text.find(|c: char| c.is_ascii_digit())?;
    let number: String = text[first..].chars().take_while(|c| is_number(*c) || *c == '\u{a0}' || *c == ' ').collect();
    let sign = format!("{}{}", text[..first].trim(), text[first + number.len()..].trim());
    let sign: String = sign.chars().filter(|c| !c.is_whitespace()).collect();
    let code = SIGNS.iter().find(|(written, _)| *written == sign).map_or(sign.as_str(), |(_, code)| code);
    amount_of(micros(number.trim())?, code)
}

/// Millionths from a number with separators. The last separator is the decimal one unless three digits follow it.
fn micros(number: &str) -> Option<i64> {
    let number: String = number.chars().filter(|c| !c.is_whitespace()).collect();
    let (whole, fraction) = match number.rfind(['.', ',']) {
        Some(at) if number.len() - at - 1 != 3 => (&number[..at], &number[at + 1..]),
        _ => (number.as_str(), ""),
    };
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let fraction = format!("{:0<6}", digits(fraction));
    format!("{}{}", digits(whole), fraction.get(..6)?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_many_countries_are_read() {
        for (text, micros, currency) in [
            ("$5.00", 5_000_000, "USD"),
            ("¥1,000", 1_000_000_000, "JPY"),
            ("1.234,50\u{a0}€", 1_234_500_000, "EUR"),
            ("R$10,00", 10_000_000, "BRL"),
            ("PLN 4.99", 4_990_000, "PLN"),
            ("ARS 2,500.00", 2_500_000_000, "ARS"),
        ] {
            assert_eq!(parse_money(text), amount_of(micros, currency), "{text}");
        }
    }

    #[test]
    fn nothing_and_unknown_signs_are_no_amount() {
        for text in ["", "0 €", "5", "5 gems", "99999999999999999999 €"] {
            assert_eq!(parse_money(text), None, "{text}");
        }
    }
}
