//! Server-sent events: the format in which models send their answers in parts.

/// Cuts bytes into events. The bytes may be cut anywhere, also within a letter or a line end.
#[derive(Default)]
pub(super) struct Events {
    /// The bytes of a line that is not complete.
    line: Vec<u8>,
    /// The data lines of an event that is not complete.
    data: Vec<String>,
    /// The last byte was a carriage return, so a line feed belongs to it.
    returned: bool,
}

impl Events {
    /// Adds bytes; returns the data of the events that they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        for &byte in bytes {
            let belongs = byte == b'\n' && self.returned;
            self.returned = byte == b'\r';
            match byte {
                _ if belongs => {}
                b'\n' | b'\r' => events.extend(self.end_of_line()),
                other => self.line.push(other),
            }
        }
        events
    }

    /// The last event, if the blank line behind it is missing.
    pub(super) fn end(mut self) -> Option<String> {
        self.end_of_line().or_else(|| self.event())
    }

    fn end_of_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.event();
        }
        let line = String::from_utf8_lossy(&line);
        // Comments keep connections alive; names of events and ids tell nothing that the data does not tell.
        if let Some(data) = line.trim_start_matches('\u{feff}').strip_prefix("data:") {
            self.data.push(data.strip_prefix(' ').unwrap_or(data).to_owned());
        }
        None
    }

    fn event(&mut self) -> Option<String> {
        (!self.data.is_empty()).then(|| std::mem::take(&mut self.data).join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\r\nevent: x\r\ndata: {\"a\":\r\ndata: \"ä\"}\r\n\r\ndata:[DONE]\n\ndata: rest";

    #[test]
    fn events_are_the_same_wherever_the_bytes_are_cut() {
        for size in 1..STREAM.len() {
            let mut events = Events::default();
            let mut found: Vec<_> = STREAM.as_bytes().chunks(size).flat_map(|bytes| events.push(bytes)).collect();
            found.extend(events.end());
            assert_eq!(found, ["{\"a\":\n\"ä\"}", "[DONE]", "rest"], "pieces of {size}");
        }
    }

    #[test]
    fn a_stream_of_comments_has_no_events() {
        let mut events = Events::default();
        assert!(events.push(b": ping\n\n: ping\n\n").is_empty());
        assert_eq!(events.end(), None);
    }
}
