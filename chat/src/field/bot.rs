//! Programs that write into chats.

/// Names of chat programs that many channels use.
const KNOWN: [&str; 18] = [
    "botisimo",
    "botrixoficial",
    "coebot",
    "deepbot",
    "fossabot",
    "frostytoolsdotcom",
    "kofistreambot",
    "moobot",
    "nightbot",
    "own3d",
    "phantombot",
    "pokemoncommunitygame",
    "sery_bot",
    "soundalerts",
    "streamelements",
    "streamlabs",
    "tangiabot",
    "wizebot",
];

/// Whether a name is that of a known program, or one of `others`.
pub(crate) fn is_bot(name: &str, others: &[String]) -> bool {
    let name = name.trim_start_matches('@').to_lowercase();
    KNOWN.contains(&name.as_str()) || others.contains(&name)
}
