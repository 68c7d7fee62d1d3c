//! What the speech says.

/// A line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it begins, in milliseconds since the beginning of the media.
    pub start_ms: i64,
    /// What is said.
    pub text: String,
}

/// A line as it was spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// When it begins, in milliseconds since the beginning of the media.
    pub start_ms: i64,
    /// When it ends, likewise.
    pub end_ms: i64,
    /// What was said.
    pub text: String,
}

/// A minute of a stream about a game: seconds, and what is said then.
pub const SCRIPT: &[(i64, &str)] = &[
    (1, "Welcome back everyone, the final match begins now."),
    (7, "Our team takes the left side of the river."),
    (13, "Thank you for the donation, that is very kind."),
    (19, "Watch the tower on the right, they are coming."),
    (25, "What a goal, nobody has ever seen that before."),
    (31, "The chat is asking about the new keyboard."),
    (37, "We take a short break and come back in a minute."),
    (43, "Now the second half, the score is two to one."),
    (49, "One more round and then we say goodbye."),
    (55, "Good night everyone."),
];

/// [`SCRIPT`] as lines.
pub fn script() -> Vec<Line> {
    SCRIPT.iter().map(|&(second, text)| Line { start_ms: second * 1000, text: text.to_owned() }).collect()
}
