//! How a program ended, in words.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::error::MediaError;
use crate::shown::without_addresses;

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Its name.
    pub program: String,
    /// Its exit code; `None` where a signal killed it.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// The last lines of its standard error, oldest first.
    pub last_lines: Vec<String>,
}

/// Who must act.
enum Act {
    Wait,
    Somebody,
    ResolveAgain(u16),
}

/// What FFmpeg writes, what it means, and what to do.
const MEANINGS: &[(&str, Act, &str, &str)] = &[
    ("No space left on device", Act::Somebody, "The disk is full.", "Delete clips, or give them more space."),
    ("403 Forbidden", Act::ResolveAgain(403), "", ""),
    ("404 Not Found", Act::ResolveAgain(404), "", ""),
    ("410 Gone", Act::ResolveAgain(410), "", ""),
    ("Server returned 5", Act::Wait, "The server of the stream has trouble.", ""),
    ("5XX Server Error", Act::Wait, "The server of the stream has trouble.", ""),
    ("Connection refused", Act::Wait, "The server of the stream accepts no connection.", ""),
    ("Connection reset", Act::Wait, "The server of the stream closed the connection.", ""),
    ("Connection timed out", Act::Wait, "The server of the stream does not answer.", ""),
    ("Failed to resolve hostname", Act::Wait, "The name of the stream's server is not known.", ""),
    ("Network is unreachable", Act::Wait, "There is no network.", ""),
    ("Input/output error", Act::Wait, "The stream broke off.", ""),
    (
        "Protocol not found",
        Act::Somebody,
        "FFmpeg cannot read this kind of address.",
        "Give an address that begins with http, https, rtmp or rtmps.",
    ),
    (
        "Format not on whitelist",
        Act::Somebody,
        "The stream holds a kind of media that is not read.",
        "Send MPEG-TS, fragmented MP4, AAC or MP3: a list of other media is no media.",
    ),
    (
        "not on whitelist",
        Act::Somebody,
        "The stream points to a kind of address that it may not open.",
        "Check the address: a stream from the network must not name files of this machine.",
    ),
    ("No such file or directory", Act::Somebody, "The file does not exist.", "Check the path."),
    ("Permission denied", Act::Somebody, "The file may not be read or written.", "Check its permissions."),
    (
        "Invalid data found when processing input",
        Act::Somebody,
        "This is not audio or video that FFmpeg knows.",
        "Check the address: it must name the media, not a page about it.",
    ),
    ("does not contain any stream", Act::Somebody, "The media has no audio.", "Choose a stream with audio."),
    ("matches no streams", Act::Somebody, "The media has no audio or no video.", "Choose a stream that has both."),
    (
        "No such filter",
        Act::Somebody,
        "This FFmpeg lacks a filter that clips need.",
        "Install a complete FFmpeg, with libass and libx264: on Debian, 'apt-get install ffmpeg'.",
    ),
    (
        "Unknown encoder",
        Act::Somebody,
        "This FFmpeg lacks an encoder that clips need.",
        "Install a complete FFmpeg, with libass and libx264: on Debian, 'apt-get install ffmpeg'.",
    ),
    ("Cannot allocate memory", Act::Wait, "FFmpeg got no memory.", ""),
];

impl Exit {
    pub(crate) fn new(program: &str, status: ExitStatus, last_lines: Vec<String>) -> Self {
        Self { program: program.to_owned(), code: status.code(), signal: status.signal(), last_lines }
    }

    /// Whether it ended as it should.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Why it ended, with a remedy. `host` is whose media it read.
    pub fn explain(&self, host: &str) -> MediaError {
        let known = MEANINGS.iter().find(|(text, ..)| self.last_lines.iter().any(|line| line.contains(text)));
        match known {
            Some((_, Act::Wait, reason, _)) => MediaError::transient(*reason),
            Some((_, Act::Somebody, reason, remedy)) => MediaError::refused(*reason, *remedy),
            Some((_, Act::ResolveAgain(status), ..)) => MediaError::Expired { host: host.to_owned(), status: *status },
            None => self.unknown(),
        }
    }

    fn unknown(&self) -> MediaError {
        let ended = match (self.code, self.signal) {
            (_, Some(9)) => "it was killed (signal 9)".to_owned(),
            (_, Some(signal)) => format!("it crashed (signal {signal})"),
            (Some(code), _) => format!("it ended with code {code}"),
            _ => "it ended".to_owned(),
        };
        let remedy = match self.signal {
            Some(9) => "The system kills programs when memory is short: run fewer at a time.",
            Some(_) => "Try another version of the program.",
            None => "Read the lines above; where they do not help, try another version of the program.",
        };
        let lines: Vec<_> = self.last_lines.iter().rev().take(3).rev().map(|line| without_addresses(line)).collect();
        let reason = if lines.is_empty() { ended } else { format!("{ended} after writing \"{}\"", lines.join(" / ")) };
        MediaError::Failed { program: self.program.clone(), reason, remedy: remedy.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;
    use crate::error::MediaError;

    fn explained(code: Option<i32>, signal: Option<i32>, lines: &[&str]) -> MediaError {
        let last_lines = lines.iter().map(|&line| line.to_owned()).collect();
        Exit { program: "ffmpeg".into(), code, signal, last_lines }.explain("cdn.example")
    }

    #[test]
    fn known_messages_become_reasons_with_a_remedy() {
        let full = explained(Some(1), None, &["av_interleaved_write_frame(): No space left on device"]);
        assert_eq!(full.to_string(), "The disk is full. Delete clips, or give them more space.");
        let denied =
            explained(Some(1), None, &["https://cdn.example/x?sig=1: Server returned 403 Forbidden (access denied)"]);
        assert_eq!(denied, MediaError::Expired { host: "cdn.example".into(), status: 403 });
        assert!(explained(Some(1), None, &["Connection to tcp://h:1 failed: Connection refused"]).is_transient());
    }

    #[test]
    fn unknown_ends_keep_the_last_lines_without_addresses() {
        let error = explained(None, Some(9), &["a", "b", "c", "opening https://cdn.example/x?sig=secret"]).to_string();
        assert!(
            error.contains("killed (signal 9)") && error.contains("\"b / c / opening https://cdn.example/…\""),
            "{error}"
        );
        assert!(!error.contains("secret"), "{error}");
    }
}
