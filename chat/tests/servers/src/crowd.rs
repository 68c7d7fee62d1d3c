//! What viewers write.

use crate::draw::Draw;

/// Something that happens in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The id of the message, or of the event.
    pub id: String,
    /// The author's id.
    pub user_id: String,
    /// The author's name.
    pub user_name: String,
    /// The text as the platform writes it.
    pub text: String,
    /// The text as a viewer sees it.
    pub shown: String,
    /// What kind of line it is.
    pub kind: Kind,
    /// When it happened, in epoch milliseconds of a clock that is right.
    pub at_ms: i64,
}

/// A kind of line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A viewer wrote.
    Text,
    /// A viewer answered another message.
    Reply {
        /// Id of the message that is answered.
        to: String,
    },
    /// A viewer paid.
    Paid {
        /// Millionths of the currency's unit.
        micros: i64,
        /// The currency's code of three letters.
        currency: &'static str,
    },
    /// A viewer became a member.
    Joined,
    /// A member tells how many months the membership lasts.
    Months(u32),
    /// A viewer gave memberships away.
    Gifts(u32),
    /// A message was withdrawn.
    Deleted {
        /// Id of the withdrawn message.
        target: String,
    },
    /// A viewer was banned; with seconds, only for a time.
    Banned {
        /// Id of the viewer.
        user_id: String,
        /// How long, in seconds; absent if for ever.
        seconds: Option<u64>,
    },
}

/// Texts as a platform writes them, and as a viewer sees them.
const TEXTS: [(&str, &str); 12] = [
    ("hello from the back row", "hello from the back row"),
    ("GG :tada:", "GG 🎉"),
    (":joy::joy::joy:", "😂😂😂"),
    (":adaHype: :adaHype:", ":adaHype: :adaHype:"),
    ("what a play 🔥🔥", "what a play 🔥🔥"),
    ("it starts at 12:30:45", "it starts at 12:30:45"),
    ("¿qué pasó?", "¿qué pasó?"),
    ("草草草", "草草草"),
    ("a = b; c \\ d", "a = b; c \\ d"),
    ("tab\there  ", "tab here"),
    ("Kappa PogChamp", "Kappa PogChamp"),
    ("!uptime", "!uptime"),
];

/// So many lines of a chat as it is in the field, one each half second, from `start_ms`. The same seed gives the same
/// lines.
pub fn crowd(seed: u64, count: usize, start_ms: i64) -> Vec<Line> {
    let mut draw = Draw::of(seed, "crowd", 0);
    let mut lines: Vec<Line> = Vec::with_capacity(count);
    let mut withdrawn: Option<String> = None;
    for number in 0..count {
        let user = draw.below(40);
        let (user_id, user_name) = match user {
            0 => ("u-bot".to_owned(), "Nightbot".to_owned()),
            _ => (format!("u-{user}"), format!("Viewer {user}")),
        };
        let (text, shown) = *draw.one_of(&TEXTS);
        // A message that may be answered or withdrawn: the last one that was not.
        let is_free = |line: &&Line| matches!(line.kind, Kind::Text) && withdrawn.as_ref() != Some(&line.id);
        let earlier = lines.iter().rev().find(is_free).map(|line| line.id.clone());
        let kind = match (draw.below(40), earlier) {
            (0, Some(target)) => {
                withdrawn = Some(target.clone());
                Kind::Deleted { target }
            }
            (1, Some(_)) => {
                let seconds = draw.strikes(0.5).then_some(600);
                Kind::Banned { user_id: format!("u-{}", 1 + draw.below(39)), seconds }
            }
            (2, _) => Kind::Paid { micros: 5_000_000 + 10_000 * draw.below(1_000) as i64, currency: "USD" },
            (3, _) => Kind::Joined,
            (4, _) => Kind::Months(1 + draw.below(36) as u32),
            (5, _) => Kind::Gifts(1 + draw.below(20) as u32),
            (6..=9, Some(to)) => Kind::Reply { to },
            _ => Kind::Text,
        };
        let at_ms = start_ms + 500 * number as i64;
        let (text, shown) = (text.to_owned(), shown.to_owned());
        lines.push(Line { id: format!("m{seed}-{number}"), user_id, user_name, text, shown, kind, at_ms });
    }
    lines
}
