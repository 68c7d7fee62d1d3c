//! Cuts a chat message into words, symbols and pauses.

use super::lexicon::{Entry, lexicon};

/// A piece of a message.
#[derive(Debug)]
pub(super) enum Token {
    Word {
        /// Lower case.
        text: String,
        /// Three or more letters, all of them capitals.
        shouted: bool,
    },
    /// An emoji, emoticon or emote, and how often it is repeated in a row.
    Symbol { entry: Entry, count: u32 },
    /// Punctuation that ends a thought.
    Pause,
}

/// Cuts a message into tokens. Mentions, commands and links have neither mood nor topic and are left out.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(8);
    for piece in text.split_whitespace() {
        if piece.starts_with(['@', '!']) && piece.len() > 1 && piece[1..].starts_with(char::is_alphanumeric)
            || piece.starts_with("http")
        {
            continue;
        }
        match lexicon().symbols.get(piece) {
            Some(entry) => push_symbol(&mut tokens, *entry),
            None => cut_piece(&mut tokens, piece),
        }
    }
    tokens
}

fn cut_piece(tokens: &mut Vec<Token>, piece: &str) {
    let mut word_start = None;
    for (at, c) in piece.char_indices() {
        if is_word_char(c) {
            word_start.get_or_insert(at);
            continue;
        }
        push_word(tokens, word_start.take().map_or("", |start| &piece[start..at]));
        if matches!(c, ',' | '.' | '!' | '?' | ';' | ':' | '…') {
            if !matches!(tokens.last(), Some(Token::Pause)) {
                tokens.push(Token::Pause);
            }
        } else if !c.is_ascii()
            && let Some(entry) = lexicon().symbols.get(&piece[at..at + c.len_utf8()])
        {
            push_symbol(tokens, *entry);
        }
    }
    push_word(tokens, word_start.map_or("", |start| &piece[start..]));
}

/// Whether a character can be part of a word: letters, digits, apostrophes, and the marks of Devanagari.
fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\'' | '’' | '_' | '\u{094d}' | '\u{093c}' | '\u{200d}')
}

fn push_word(tokens: &mut Vec<Token>, word: &str) {
    let word = word.trim_matches(['\'', '’', '_', '\u{200d}']);
    if word.is_empty() {
        return;
    }
    let mut letters = 0;
    let shouted = word.chars().all(|c| {
        letters += 1;
        c.is_uppercase() || !c.is_alphabetic()
    }) && letters >= 3
        && word.chars().any(char::is_uppercase);
    let text = if word.is_ascii() { word.to_ascii_lowercase() } else { word.to_lowercase().replace('’', "'") };
    tokens.push(Token::Word { text, shouted });
}

fn push_symbol(tokens: &mut Vec<Token>, entry: Entry) {
    if let Some(Token::Symbol { entry: last, count }) = tokens.last_mut()
        && last.feeling == entry.feeling
    {
        *count += 1;
    } else {
        tokens.push(Token::Symbol { entry, count: 1 });
    }
}

/// The word without stretched letters, if it is known: `goood` gives `good`, `sooo` gives `so`. `None` if the word has
/// no stretched letters.
pub(super) fn unstretched(word: &str, known: impl Fn(&str) -> bool) -> Option<String> {
    if !word.as_bytes().windows(3).any(|three| three[0] == three[1] && three[1] == three[2]) && word.is_ascii() {
        return None;
    }
    let mut runs: Vec<(char, usize)> = Vec::new();
    for c in word.chars() {
        match runs.last_mut() {
            Some((last, count)) if *last == c => *count += 1,
            _ => runs.push((c, 1)),
        }
    }
    let stretched: Vec<usize> = (0..runs.len()).filter(|i| runs[*i].1 >= 3).collect();
    if stretched.is_empty() || stretched.len() > 4 {
        return None;
    }
    (0..1_u32 << stretched.len()).find_map(|doubled| {
        let candidate: String = runs
            .iter()
            .enumerate()
            .flat_map(|(i, (c, count))| {
                let place = stretched.iter().position(|s| *s == i);
                let count = place.map_or(*count, |place| if doubled & (1 << place) == 0 { 1 } else { 2 });
                std::iter::repeat_n(*c, count)
            })
            .collect();
        known(&candidate).then_some(candidate)
    })
}

/// Whether a word is laughter of any length: `hahaha`, `jajaja`, `kkkk`, `lololol`, `www`.
pub(super) fn is_laughter(word: &str) -> bool {
    let only = |letters: &str, at_least: usize| {
        word.len() >= at_least && word.chars().all(|c| letters.contains(c)) && letters.chars().all(|c| word.contains(c))
    };
    only("ha", 4) || only("ja", 4) || only("je", 4) || only("lo", 3) || only("k", 3) || only("w", 3) || only("rs", 4)
}
