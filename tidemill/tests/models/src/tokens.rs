//! How tokens are counted.

/// The tokens of a text: its characters divided by four, rounded up.
///
/// ```
/// assert_eq!(tidemill_model_server::tokens("12345678"), 2);
/// assert_eq!(tidemill_model_server::tokens("123456789"), 3);
/// ```
pub fn tokens(text: &str) -> u64 {
    of_characters(text.chars().count())
}

/// The tokens of so many characters.
pub(crate) fn of_characters(characters: usize) -> u64 {
    characters.div_ceil(4) as u64
}

/// The beginning of a text that has so many tokens at most.
pub(crate) fn first(text: &str, tokens: u64) -> &str {
    let characters = usize::try_from(tokens.saturating_mul(4)).unwrap_or(usize::MAX);
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}
