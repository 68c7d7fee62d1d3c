//! Guesses the language of a message from its script and from common words.

use super::language::{LANGUAGES, Language};
use super::words::Token;

/// The language with the most common words in the message. `None` if two languages are equal or no common word occurs.
pub(super) fn language(tokens: &[Token]) -> Option<Language> {
    let mut votes = [0_u32; LANGUAGES.len()];
    for token in tokens {
        let Token::Word { text, known, .. } = token else { continue };
        if let Some(script) = Language::by_script(text) {
            let of_neighbour =
                |token: &Token| matches!(token, Token::Word { text, .. } if Language::is_of_neighbour(text));
            return (!tokens.iter().any(of_neighbour)).then_some(script);
        }
        let Some(languages) = known.map(|known| known.languages).filter(|languages| *languages != 0) else { continue };
        // A word of one language weighs more than a word that occurs in three languages.
        let weight = 12 / languages.count_ones();
        for (vote, language) in votes.iter_mut().zip(LANGUAGES) {
            *vote += if languages & language.bit() == 0 { 0 } else { weight };
        }
    }
    let best = (0..LANGUAGES.len()).max_by_key(|i| votes[*i])?;
    let unique = votes.iter().filter(|vote| **vote == votes[best]).count() == 1;
    (votes[best] > 0 && unique).then_some(LANGUAGES[best])
}
