//! Cuts a chat message into words, symbols and pauses.

use super::echo::without_invisible;
use super::feeling::{Entry, Known, Role};
use super::lexicon::{Lexicon, lexicon};
use super::{shortcodes, spelling};

/// A piece of a message.
#[derive(Debug)]
pub(super) enum Token {
    Word {
        /// Lower case.
        text: String,
        /// Three or more letters, all of them capitals.
        shouted: bool,
        /// Whether the word was written with stretched letters.
        stretched: bool,
        /// What the lists say about the word.
        known: Option<&'static Known>,
    },
    /// An emoji, emoticon or emote, and how often it is repeated in a row.
    Symbol { entry: Entry, count: u32 },
    /// Punctuation that ends a thought, or a picture that expresses nothing.
    Pause,
}

/// Whether a message is a command to a bot, such as `!uptime`.
pub(super) fn is_command(text: &str) -> bool {
    text.trim_start().strip_prefix('!').is_some_and(|name| name.starts_with(char::is_alphanumeric))
}

/// Whether a message asks a question. The question marks of links do not count.
pub(super) fn is_question(text: &str) -> bool {
    let has_mark = |text: &str| text.contains(['?', '？', '¿', '؟', '⁇', '⁈']);
    has_mark(text) && text.split_whitespace().any(|piece| has_mark(piece) && !piece.starts_with("http"))
}

/// Cuts a message into tokens. Mentions, commands and links have neither mood nor topic and are left out.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(8);
    if is_command(text) {
        return tokens;
    }
    let (text, lexicon) = (without_invisible(text), lexicon());
    for piece in text.split_whitespace() {
        if piece.starts_with(['@', '!']) && piece.len() > 1 && piece[1..].starts_with(char::is_alphanumeric)
            || piece.starts_with("http")
        {
            continue;
        }
        if let Some(entry) = lexicon.symbols.get(piece) {
            push_symbol(&mut tokens, *entry);
            continue;
        }
        let mut rest = piece;
        while let Some((before, name, after)) = shortcodes::next(rest) {
            cut_piece(&mut tokens, before, lexicon);
            push_shortcode(&mut tokens, name, lexicon);
            rest = after;
        }
        cut_piece(&mut tokens, rest, lexicon);
    }
    tokens
}

fn push_shortcode(tokens: &mut Vec<Token>, name: &str, lexicon: &'static Lexicon) {
    let word = name.trim_matches('_').to_ascii_lowercase();
    match (lexicon.find(&word).filter(|known| known.role == Some(Role::Sarcasm)), shortcodes::feeling(name)) {
        (known @ Some(_), _) => tokens.push(Token::Word { text: word, shouted: false, stretched: false, known }),
        (None, Some(entry)) => push_symbol(tokens, entry),
        (None, None) => tokens.push(Token::Pause),
    }
}

fn cut_piece(tokens: &mut Vec<Token>, piece: &str, lexicon: &'static Lexicon) {
    let mut word_start = None;
    for (at, c) in piece.char_indices() {
        if is_word_char(c) {
            word_start.get_or_insert(at);
            continue;
        }
        push_word(tokens, word_start.take().map_or("", |start| &piece[start..at]), lexicon);
        if matches!(c, ',' | '.' | '!' | '?' | ';' | ':' | '…' | '،' | '؛' | '؟') {
            if !matches!(tokens.last(), Some(Token::Pause)) {
                tokens.push(Token::Pause);
            }
        } else if !c.is_ascii()
            && let Some(entry) = lexicon.symbols.get(&piece[at..at + c.len_utf8()])
        {
            push_symbol(tokens, *entry);
        }
    }
    push_word(tokens, word_start.map_or("", |start| &piece[start..]), lexicon);
}

/// Whether a character can be part of a word: letters, digits, apostrophes, and the marks of some scripts.
fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\'' | '’' | '_') || !c.is_ascii() && spelling::is_mark(c)
}

fn push_word(tokens: &mut Vec<Token>, word: &str, lexicon: &'static Lexicon) {
    let word = word.trim_matches(['\'', '’', '_']);
    if word.is_empty() {
        return;
    }
    let mut letters = 0;
    let mut capitals = 0;
    let all_capitals = word.chars().all(|c| {
        letters += 1;
        let capital = c.is_uppercase();
        capitals += usize::from(capital);
        capital || !c.is_alphabetic()
    });
    let shouted = all_capitals && letters >= 3 && capitals > 0;
    // A name in mixed case may be an emote that punctuation touches, or a streamer's own emote.
    if word.is_ascii() && word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let emote = lexicon.symbols.get(word).copied();
        if let Some(entry) = emote.or_else(|| if all_capitals { None } else { shortcodes::of_word(word) }) {
            return push_symbol(tokens, entry);
        }
    }
    let text = if word.is_ascii() {
        word.to_ascii_lowercase()
    } else {
        word.chars().flat_map(char::to_lowercase).filter_map(spelling::letter).collect()
    };
    // Marks alone are no word.
    if text.is_empty() {
        return;
    }
    let mut stretched = false;
    let known = lexicon.read(&text).or_else(|| {
        let plain = unstretched(&text, |word| lexicon.find(word).is_some())?;
        stretched = true;
        lexicon.find(&plain)
    });
    tokens.push(Token::Word { text, shouted, stretched, known });
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
fn unstretched(word: &str, known: impl Fn(&str) -> bool) -> Option<String> {
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
