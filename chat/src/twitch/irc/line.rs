//! Lines of IRC with tags.

use std::borrow::Cow;

/// A line such as `@id=1;user-id=2 :ada!ada@ada.tmi.twitch.tv PRIVMSG #ada :hello`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    tags: Vec<(&'a str, &'a str)>,
    /// The command, such as `PRIVMSG`.
    pub(super) command: &'a str,
    /// The nickname of the author.
    pub(super) nick: &'a str,
    /// The last parameter: the text of a message.
    pub(super) text: &'a str,
}

impl<'a> Line<'a> {
    /// Reads a line; nothing comes of an empty one.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let mut rest = line.trim_matches(['\r', '\n', ' ']);
        let mut tags = Vec::new();
        if let Some(tagged) = rest.strip_prefix('@') {
            let (written, after) = tagged.split_once(' ')?;
            tags = written.split(';').map(|tag| tag.split_once('=').unwrap_or((tag, ""))).collect();
            rest = after.trim_start();
        }
        let mut nick = "";
        if let Some(prefixed) = rest.strip_prefix(':') {
            let (prefix, after) = prefixed.split_once(' ')?;
            nick = prefix.split('!').next().unwrap_or_default();
            rest = after.trim_start();
        }
        let (command, parameters) = rest.split_once(' ').unwrap_or((rest, ""));
        let text = match parameters.strip_prefix(':') {
            Some(text) => text,
            None => parameters.split_once(" :").map_or("", |(_, text)| text),
        };
        (!command.is_empty()).then_some(Self { tags, command, nick, text })
    }

    /// A tag that is not empty.
    pub(super) fn tag(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, value) = self.tags.iter().find(|(known, _)| *known == name)?;
        (!value.is_empty()).then(|| unescape(value))
    }

    /// A tag that is a number.
    pub(super) fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.tag(name)?.parse().ok()
    }
}

fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        let read = if letter == '\\' { letters.next().map(unescaped) } else { Some(letter) };
        out.extend(read);
    }
    Cow::Owned(out)
}

fn unescaped(letter: char) -> char {
    match letter {
        's' => ' ',
        ':' => ';',
        'r' => '\r',
        'n' => '\n',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_texts_are_read() {
        let line = "@id=1;display-name=A\\sda\\:\\\\;bits= :ada!ada@ada.tmi.twitch.tv PRIVMSG #ada :hi : there\r\n";
        let line = Line::parse(line).expect("a line");
        assert_eq!((line.command, line.nick, line.text), ("PRIVMSG", "ada", "hi : there"));
        assert_eq!(line.tag("display-name").as_deref(), Some("A da;\\"));
        assert_eq!((line.tag("bits"), line.tag("none"), line.number::<u64>("id")), (None, None, Some(1)));
    }

    #[test]
    fn short_lines_are_read_and_empty_ones_are_not() {
        let ping = Line::parse("PING :tmi.twitch.tv").expect("a line");
        assert_eq!((ping.command, ping.text), ("PING", "tmi.twitch.tv"));
        assert_eq!(Line::parse(":tmi.twitch.tv RECONNECT").map(|line| line.command), Some("RECONNECT"));
        assert_eq!(Line::parse(":tmi.twitch.tv CLEARCHAT #ada").map(|line| line.text), Some(""));
        for line in ["", "\r\n", "@a=b", ":x"] {
            assert_eq!(Line::parse(line), None, "{line:?}");
        }
    }
}
